"""What a load run is going to do."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st
from locust import FastHttpUser, HttpUser, LoadTestShape, TaskSet, User, tag, task

from tailgate import Peak, Stage, Stages
from tailgate.engine import make_plan
from tailgate.engine.plan import Level, LocustPace, StagesPace, allocate
from tailgate.errors import BadInput

WEIGHTS = st.dictionaries(st.sampled_from("abcd"), st.integers(1, 20), min_size=1)
FIXED = st.dictionaries(st.sampled_from("xyz"), st.integers(1, 10))
SHAPE = Stages(Stage(name="hold", duration_s=2, users=4))


class Shopper(FastHttpUser):
    @tag("browse")
    @task
    def browse(self):
        """Do nothing."""


class Buyer(FastHttpUser):
    @tag("purchase")
    @task
    def buy(self):
        """Do nothing."""


@pytest.fixture(scope="module")
def host():
    """Somebody who listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def problems_of(users=Shopper, *, shape=SHAPE, host=None, **settings):
    with pytest.raises(BadInput) as caught:
        make_plan(users, shape=shape, host=host, **settings)
    return caught.value.problems


# Who runs


@given(st.integers(0, 60), WEIGHTS, FIXED)
def test_the_classes_make_up_the_level(level, weights, fixed):
    assert sum(allocate(level, weights, fixed).values()) == level


@given(st.integers(0, 60), WEIGHTS, FIXED)
def test_a_higher_level_takes_no_user_away(level, weights, fixed):
    lower, higher = allocate(level, weights, fixed), allocate(level + 1, weights, fixed)

    assert all(higher[name] >= lower[name] for name in lower)


@given(st.integers(0, 60), st.integers(0, 60), WEIGHTS, FIXED)
def test_users_that_are_there_stay_and_are_added_to(have, level, weights, fixed):
    there = allocate(have, weights, fixed)

    wanted = allocate(max(have, level), weights, fixed, there)

    assert all(wanted[name] >= count for name, count in there.items())
    assert wanted == allocate(max(have, level), weights, fixed)


@given(WEIGHTS, st.integers(1, 5))
def test_whole_rounds_are_shared_exactly_by_weight(weights, rounds):
    level = rounds * sum(weights.values())

    assert allocate(level, weights, {}) == {name: rounds * weight for name, weight in weights.items()}


@given(st.integers(0, 60), WEIGHTS, FIXED)
def test_fixed_counts_are_filled_first_and_never_exceeded(level, weights, fixed):
    counts = allocate(level, weights, fixed)

    assert sum(counts[name] for name in fixed) == min(level, sum(fixed.values()))
    assert all(counts[name] <= most for name, most in fixed.items())


@pytest.mark.parametrize(
    ("level", "counts"),
    [
        (0, {"admin": 0, "browse": 0, "buy": 0}),
        (1, {"admin": 1, "browse": 0, "buy": 0}),
        (2, {"admin": 1, "browse": 1, "buy": 0}),
        (5, {"admin": 1, "browse": 3, "buy": 1}),
        (9, {"admin": 1, "browse": 6, "buy": 2}),
    ],
)
def test_users_are_shared_out_three_to_one_beside_one_admin(level, counts):
    assert allocate(level, {"browse": 3, "buy": 1}, {"admin": 1}) == counts


def test_a_class_of_weight_zero_gets_nobody_and_without_weights_a_level_is_not_made_up():
    assert allocate(3, {"a": 1, "b": 0}, {}) == {"a": 3, "b": 0}
    assert allocate(5, {}, {"a": 2}) == {"a": 2}


# Plans


def test_a_plan_has_what_was_asked_for(host):
    plan = make_plan([Shopper, Buyer], shape=SHAPE, host=f"{host}/", tags=["browse", "purchase"])

    assert (plan.user_classes, plan.stages, plan.host) == ((Shopper, Buyer), SHAPE.stages, host)
    assert plan.tags == {"browse", "purchase"}
    assert (plan.request_timeout_s, plan.stop_timeout_s, plan.duration_s) == (10, 5, 2)


def test_one_class_and_one_tag_need_no_list(host):
    plan = make_plan(Shopper, shape=SHAPE.stages, host=host, tags="browse")

    assert (plan.user_classes, plan.tags, plan.stages) == ((Shopper,), {"browse"}, SHAPE.stages)


def test_the_time_scale_stretches_the_shape(host):
    plan = make_plan(Shopper, shape=Peak(users=4, ramp_s=2, hold_s=6, ramp_down_s=1), host=host, time_scale=10)

    assert plan.duration_s == 90
    assert [(stage.duration_s, stage.spawn_rate) for stage in plan.stages] == [(20, 0.2), (60, None), (10, 0.4)]


class NotAUser:
    pass


class Idle(FastHttpUser):
    pass


class Patched(HttpUser):
    @task
    def work(self):
        """Do nothing."""


class Uncallable(FastHttpUser):
    tasks = (3,)


class Weightless(Shopper):
    weight = 0


@pytest.mark.parametrize(
    ("users", "problem"),
    [
        ([], "load: no user classes were given; pass at least one, such as load([Shopper])"),
        (NotAUser, "load: NotAUser is not a user class; pass subclasses of tailgate.LeanHttpUser"),
        ("Shopper", "load: 'Shopper' is not a user class; pass subclasses of tailgate.LeanHttpUser"),
        (Idle, "load: Idle has no tasks; decorate at least one method with @task"),
        (Uncallable, "load: Uncallable.tasks holds something that cannot be called"),
        (Weightless, "load: every user class has weight 0; give at least one a weight or a fixed_count"),
        ([Shopper, Shopper], "load: 2 user classes are called Shopper; their names must differ"),
        (
            Patched,
            (
                "load: Patched is an HttpUser, which needs Locust's monkey patching and would block every other user "
                "in this process; derive it from tailgate.LeanHttpUser, whose client has the same methods, or run it "
                "in worker processes by --perf-workers=2"
            ),
        ),
    ],
)
def test_users_that_cannot_be_run_are_refused(host, users, problem):
    assert problems_of(users, host=host) == (problem,)


def test_tags_that_match_nothing_say_which_there_are(host):
    assert problems_of(host=host, tags=["stock", "edge"]) == (
        "load: tags edge, stock match no task of Shopper; its tags: browse",
    )


def test_a_tag_in_a_nested_task_set_is_found(host):
    class Inner(TaskSet):
        @tag("deep")
        @task
        def work(self):
            """Do nothing."""

    class Outer(User):
        tasks = (Inner,)

    assert make_plan(Outer, shape=SHAPE, host=host, tags="deep").tags == {"deep"}
    assert problems_of(Outer, host=host, tags="shallow") == (
        "load: tags shallow match no task of Outer; its tags: deep",
    )


@pytest.mark.parametrize("name", ["request_timeout_s", "stop_timeout_s"])
@pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan"), None, "5"])
def test_a_time_limit_is_a_positive_number(host, name, value):
    assert problems_of(host=host, **{name: value}) == (
        f"load: {name} is {value!r}, wanted a positive number of seconds",
    )


@pytest.mark.parametrize(
    ("shape", "problem"),
    [
        (
            None,
            "shape: None is not a shape; pass Stages, Peak, Stress, Soak, Spike, Arrivals or a locust.LoadTestShape",
        ),
        (
            Peak,
            (
                "shape: <class 'tailgate.shapes.Peak'> is not a shape; pass Stages, Peak, Stress, Soak, Spike, "
                "Arrivals or a locust.LoadTestShape"
            ),
        ),
        ([1], "shape: [1] is not a shape; pass Stages, Peak, Stress, Soak, Spike, Arrivals or a locust.LoadTestShape"),
        ((), "shape: has no stages; give it at least one"),
        (Stages(), "shape: has no stages; give it at least one"),
        (Peak(users=-5), "shape: Peak: stage 'ramp_up': users is -5, wanted a whole number, 0 or more"),
        (Peak(hold_s=0), "shape: Peak: stage 'hold': duration_s is 0, wanted a positive number of seconds"),
        (Peak(ramp_s=0), "shape: Peak: stage 'ramp_up': duration_s is 0, wanted a positive number of seconds"),
        (LoadTestShape, "shape: LoadTestShape has no tick(); pass a subclass of LoadTestShape that has one"),
    ],
    ids=str,
)
def test_a_shape_that_cannot_be_run_is_refused(host, shape, problem):
    assert problems_of(shape=shape, host=host) == (problem,)


@pytest.mark.parametrize(
    ("host", "problem"),
    [
        (
            None,
            (
                "load: there is no host; pass host=, set host on the user class, override the fixture perf_target, "
                "or give --perf-stack=URL"
            ),
        ),
        (
            "http://127.0.0.1:8080/api?x=1",
            (
                "load: host 'http://127.0.0.1:8080/api?x=1' has a query or fragment, wanted "
                "a base URL such as http://127.0.0.1:8080"
            ),
        ),
        ("", "load: host is '', wanted a base URL such as http://127.0.0.1:8080"),
        (
            "127.0.0.1:8080",
            "load: host '127.0.0.1:8080' has no scheme or name, wanted a base URL such as http://127.0.0.1:8080",
        ),
        ("http://", "load: host 'http://' has no scheme or name, wanted a base URL such as http://127.0.0.1:8080"),
        (
            "ftp://127.0.0.1",
            "load: host 'ftp://127.0.0.1' has no scheme or name, wanted a base URL such as http://127.0.0.1:8080",
        ),
        ("http://127.0.0.1:99999", "load: host 'http://127.0.0.1:99999': Port out of range 0-65535"),
    ],
)
def test_a_host_that_is_no_base_url_is_refused(host, problem):
    assert problems_of(host=host) == (problem,)


def test_a_host_where_nobody_answers_is_refused():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    assert problems_of(host=f"http://127.0.0.1:{port}") == (
        f"load: nobody answers at http://127.0.0.1:{port} (Connection refused); is the service running?",
    )


def test_every_problem_is_told_at_once():
    assert [problem.split(";")[0] for problem in problems_of(Idle, shape=(), host="", stop_timeout_s=0)] == [
        "load: Idle has no tasks",
        "load: stop_timeout_s is 0, wanted a positive number of seconds",
        "shape: has no stages",
        "load: host is '', wanted a base URL such as http://127.0.0.1:8080",
    ]


# Paces


def test_stages_are_followed_to_their_end():
    pace = StagesPace(Stages(Stage(name="a", duration_s=2, users=4), Stage(name="b", duration_s=1, users=7)).stages)

    assert [pace.at(at_s) for at_s in (0, 1.99, 2.0, 2.99, 3.0, 60)] == [
        Level(0, 4), Level(0, 4), Level(1, 7), Level(1, 7), None, None,
    ]  # fmt: skip


class Scripted(LoadTestShape):
    """Returns what it is given, one a tick."""

    def __init__(self, *ticks):
        super().__init__()
        self.ticks = list(ticks)

    def tick(self):
        return self.ticks.pop(0)


def paced(*ticks, time_scale=1.0):
    return LocustPace(Scripted(*ticks), time_scale, runner=None)


def test_a_locust_shape_is_asked_ten_times_a_second_and_followed_at_its_spawn_rate():
    pace = paced((10, 20), (10, 20), (2, 50), None)

    assert [pace.at(at_s) for at_s in (0, 0.05, 0.1, 0.21, 0.25, 0.32)] == [
        Level(0, 2), Level(0, 2), Level(0, 4), Level(0, 2), Level(0, 2), None,
    ]  # fmt: skip
    assert pace.most_users == 10


def test_a_stretched_locust_shape_spawns_slower():
    assert paced((100, 20), time_scale=10).at(0) == Level(0, 1)


def test_a_locust_shape_may_name_the_classes_to_start():
    assert paced((3, 100, [Buyer])).at(0) == Level(0, 3, (Buyer,))


@pytest.mark.parametrize("tick", [(-1, 5), (5, 0), (5,), 5, "no", (float("nan"), 1), (float("inf"), 1), (5, None)])
def test_a_locust_shape_that_returns_something_else_is_refused(tick):
    with pytest.raises(BadInput) as caught:
        paced(tick).at(0)

    assert str(caught.value) == (
        f"shape: Scripted.tick() returned {tick!r}, wanted (users >= 0, spawn rate > 0[, user classes])"
    )


def test_a_locust_shape_that_never_ends_is_refused():
    pace = paced(*[(1, 1)] * 3)
    pace.at(0)

    with pytest.raises(BadInput, match=r"^shape: Scripted did not end within 3600 s$"):
        pace.at(3_600)


def test_a_locust_shape_is_copied_for_each_run(host):
    shape = Scripted((1, 1), None)
    plan = make_plan(Shopper, shape=shape, host=host)

    for _ in range(2):
        pace = plan.pace(runner=None)
        assert (pace.at(0), pace.at(1)) == (Level(0, 1), None)
    assert plan.duration_s is None
    assert len(shape.ticks) == 2
