"""The load follows the shape: levels, stages of half a second, Locust's own shapes, classes by weight and tag."""

import math
import time
from typing import ClassVar

import gevent
import pytest
from locust import FastHttpUser, LoadTestShape, TaskSet, constant, tag, task

from tailgate import Peak, Spike, Stage, Stages
from tests.acceptance.engine_runs import Watch, hold, run, visitor

pytest_plugins = ["tests.acceptance.engine_fixtures"]


def stage(name: str, users: int, duration_s: float = 0.5, spawn_rate: float | None = None) -> Stage:
    return Stage(name=name, duration_s=duration_s, users=users, spawn_rate=spawn_rate)


def test_stages_of_half_a_second_are_all_seen_with_their_levels(server):
    watch = Watch()
    shape = Stages(stage("a", 2), stage("b", 7), stage("c", 0), stage("d", 3))
    result = run(visitor("/"), server.url, shape, monitor=watch)
    assert watch.began == ["a", "b", "c", "d"]
    assert [name for name, _ in watch.ended] == ["a", "b", "c"]
    assert result.users_reached == (2, 7, 0, 3)
    assert result.duration_s == 2.0
    per_stage = {window.name: len(result.samples.within(window)) for window in result.windows}
    assert per_stage["b"] > per_stage["a"] > 10
    assert per_stage["c"] <= 7  # What the users that end had begun.


def test_a_ramp_takes_its_time_and_reaches_its_level(server):
    watch = Watch()
    result = run(visitor("/"), server.url, Peak(users=20, ramp_s=1.0, hold_s=0.5, ramp_down_s=0.5), monitor=watch)
    assert result.users_reached[:2] == (20, 20)
    levels = [(users, elapsed_s) for name, users, elapsed_s, _ in watch.looks if name == "ramp_up"]
    assert len(levels) >= 2
    assert all(users == math.ceil(20 * elapsed_s) for users, elapsed_s in levels)
    down = [users for name, users, *_ in watch.looks if name == "ramp_down"]
    assert down == sorted(down, reverse=True)
    assert len(result.samples) == server.count


def test_a_hung_request_does_not_hold_up_the_stage_after_a_spike(server):
    watch = Watch()
    shape = Spike(users=1, spike_users=8, normal_s=0.3, spike_s=0.3, recovery_s=0.5)
    result = run(visitor("/hang"), server.url, shape, monitor=watch, stop_timeout_s=1.0)
    recovery = [(users, elapsed_s) for name, users, elapsed_s, _ in watch.looks if name == "recovery"]
    assert recovery[0][1] < 0.6 + 0.9  # Not a second later, when the requests of the spike have been given up.
    assert recovery[-1][0] == 1
    assert server.count == result.samples.censored == 8
    assert (result.samples.latency_ms >= 1000).all()


def test_a_monitor_can_end_the_run_after_a_stage_or_within_one(server):
    shape = Stages(stage("a", 1), stage("b", 2), stage("c", 3))
    result = run(visitor("/"), server.url, shape, monitor=Watch(last_stage="a"))
    assert (result.duration_s, result.users_reached) == (0.5, (1,))
    assert [window.name for window in result.windows] == ["a"]
    shape = Stages(stage("a", 1), stage("b", 2, 20), stage("c", 3))
    result = run(visitor("/"), server.url, shape, monitor=Watch(cut_at_s=0.6))
    assert result.facts.cut == "seen enough"
    assert 0.6 <= result.duration_s < 10
    assert result.users_reached == (1, 2)


def test_a_stage_that_a_blocked_loop_slept_through_is_one_that_never_reached_its_level(server):
    def block(user):
        user.client.get("/")
        time.sleep(0.7)

    result = run(
        visitor("", tasks=[block]), server.url, Stages(stage("a", 1, 0.2), stage("b", 2, 0.2), stage("c", 3, 0.2))
    )
    assert result.users_reached == (1, 0, 0)
    assert result.duration_s == pytest.approx(0.6)
    assert len(result.windows) == 3


class Names(LoadTestShape):
    """Two users, then four, each for as long as it is told; counts its own ticks."""

    def __init__(self, half_s: float = 0.4):
        super().__init__()
        self.half_s = half_s
        self.ticks = 0
        self.seen = []

    def tick(self):
        self.ticks += 1
        self.seen.append(self.get_current_user_count())
        if self.get_run_time() > 2 * self.half_s:
            return None
        return (2 if self.get_run_time() < self.half_s else 4), 100


def test_a_locust_shape_is_followed_and_each_run_gets_a_fresh_one(server):
    for shape in (Names, Names(0.5)):
        for _ in range(2):
            result = run(visitor("/"), server.url, shape)
            assert result.users_reached == (4,)
            assert [(stage.name, stage.users) for stage in result.stages] == [("shape", 4)]
            assert (0.8 if shape is Names else 1.0) <= result.duration_s < 5
    assert (shape.ticks, shape.seen, shape.runner) == (0, [], None)


def test_a_locust_shape_is_stretched(server):
    assert 0.6 <= run(visitor("/"), server.url, Names(0.1), time_scale=3.0).duration_s < 5


def test_stages_are_stretched(server):
    result = run(visitor("/"), server.url, Stages(stage("a", 4, 0.1, spawn_rate=40)), time_scale=5.0)
    assert result.duration_s == 0.5
    assert result.users_reached == (4,)


class Reader(FastHttpUser):
    wait_time = constant(0.05)

    @task
    def read(self):
        self.client.get("/read")


class Writer(Reader):
    weight = 3

    @task
    def write(self):
        self.client.get("/write")


class Classes(LoadTestShape):
    """Asks for readers first, and then for writers beside them."""

    counts: ClassVar = []

    def tick(self):
        self.counts.append({name: n for name, n in self.runner.user_classes_count.items() if n})
        if self.get_run_time() < 0.3:
            return 2, 100, [Reader]
        return (5, 100, [Writer]) if self.get_run_time() < 0.6 else None


def test_a_tick_may_name_the_classes_to_start(server):
    Classes.counts.clear()
    run([Reader, Writer], server.url, Classes)
    assert {"Reader": 2} in Classes.counts
    assert Classes.counts[-1] == {"Reader": 2, "Writer": 3}


def test_users_are_shared_out_by_weight_and_fixed_count_whatever_the_level_was_before(server):
    class Admin(Reader):
        fixed_count = 1

    seen = []

    def look(self, stage_name, so_far):
        seen.append(dict(runner[0].user_classes_count))
        return True

    runner = []

    class Spy(Watch):
        on_stage_end = look

    def on_start(user):
        runner[:] = [user.environment.runner]

    Admin.on_start = on_start
    run(
        [Reader, Writer, Admin],
        server.url,
        Stages(stage("a", 5, 0.3), stage("b", 9, 0.3), stage("c", 5, 0.3), stage("d", 1, 0.1)),
        monitor=Spy(),
    )
    assert seen == [
        {"Reader": 1, "Writer": 3, "Admin": 1},
        {"Reader": 2, "Writer": 6, "Admin": 1},
        {"Reader": 1, "Writer": 3, "Admin": 1},
    ]


def test_a_class_of_weight_zero_gets_no_users(server):
    run([Reader, visitor("/never", weight=0)], server.url)
    assert set(server.received()) == {"GET /read"}


class Tree(FastHttpUser):
    wait_time = constant(0.01)

    @tag("leaf")
    @task
    def leaf(self):
        self.client.get("/leaf")

    @task
    def untagged(self):
        self.client.get("/untagged")

    @task
    class Branch(TaskSet):
        wait_time = constant(0)

        @tag("inner")
        @task
        def inner(self):
            self.client.get("/inner")
            self.interrupt()

        @task
        def other(self):
            self.client.get("/other")
            self.interrupt()


@pytest.mark.parametrize(
    ("tags", "paths"),
    [
        ((), {"/leaf", "/untagged", "/inner", "/other"}),
        (["leaf"], {"/leaf"}),
        (["inner"], {"/inner"}),
        ("inner", {"/inner"}),
        (["leaf", "inner"], {"/leaf", "/inner"}),
    ],
)
def test_tags_select_tasks_and_leave_the_classes_as_they_are(server, tags, paths):
    before = (list(Tree.tasks), list(Tree.Branch.tasks))
    run(Tree, server.url, hold(4, 0.3), tags=tags)
    assert {key.removeprefix("GET ") for key in server.received()} == paths
    assert (list(Tree.tasks), list(Tree.Branch.tasks)) == before


def test_a_pool_of_connections_that_users_share_survives_those_that_end_first(server):
    from geventhttpclient.client import HTTPClientPool

    pool = HTTPClientPool(concurrency=5)
    shape = Stages(stage("many", 5, 0.3), stage("few", 1, 0.3))
    result = run(visitor("/", client_pool=pool), server.url, shape)
    assert (len(result.samples), result.samples.failures) == (server.count, 0)
    assert pool.clients == {}
    gevent.sleep(0)
