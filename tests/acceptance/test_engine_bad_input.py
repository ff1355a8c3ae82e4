"""What cannot be run is refused in one message with every problem, before anything is sent."""

import socket

import pytest
from gevent import monkey
from locust import FastHttpUser, HttpUser, LoadTestShape, TaskSet, tag, task

from tailgate import BadInput, Peak, Spike, Stage, Stages
from tailgate.engine import make_plan
from tests.acceptance.engine_runs import Watch, hold, run, visitor

pytest_plugins = ["tests.acceptance.engine_fixtures"]


class Browser(HttpUser):
    @task
    def get(self):
        self.client.get("/")


class Idle(FastHttpUser):
    pass


class Tagged(FastHttpUser):
    @tag("browse")
    @task
    def get(self):
        self.client.get("/")

    @task
    class Inner(TaskSet):
        @tag("deep")
        @task
        def get(self):
            self.client.get("/")


class NotAUser:
    tasks = ()


class Endless(LoadTestShape):
    """Without ``tick``."""


def refusal(users, server, **options) -> str:
    """Return the message that ``users`` are refused with, and make sure that the server saw no request."""
    with pytest.raises(BadInput) as caught:
        make_plan(users, **{"shape": hold(1, 1), "host": server.url, **options})
    assert server.count == 0
    return str(caught.value)


@pytest.mark.parametrize(
    ("users", "message"),
    [
        ([], "load: no user classes were given; pass at least one, such as load([Shopper])"),
        (Browser, "load: Browser is an HttpUser, which needs Locust's monkey patching"),
        (NotAUser, "load: NotAUser is not a user class; pass subclasses of tailgate.LeanHttpUser"),
        ("Shopper", "load: 'Shopper' is not a user class"),
        ([None], "load: None is not a user class"),
        (Idle, "load: Idle has no tasks; decorate at least one method with @task"),
        (visitor("/", tasks=[1]), "load: Visitor.tasks holds something that cannot be called"),
        ([visitor("/a"), visitor("/b")], "load: 2 user classes are called Visitor; their names must differ"),
        ([visitor("/", weight=0)], "load: every user class has weight 0; give at least one a weight or a fixed_count"),
    ],
)
def test_users_that_cannot_be_run_are_refused(server, users, message):
    assert refusal(users, server).startswith(message)


def test_tags_that_match_nothing_are_refused_with_those_that_there_are(server):
    assert refusal(Tagged, server, tags=["buy"]) == "load: tags buy match no task of Tagged; its tags: browse, deep"


@pytest.mark.parametrize(
    ("host", "message"),
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
        ("", "load: host is '', wanted a base URL"),
        ("127.0.0.1:80", "load: host '127.0.0.1:80' has no scheme or name, wanted a base URL"),
        ("localhost:80", "load: host 'localhost:80' has no scheme or name"),
        ("ftp://127.0.0.1", "load: host 'ftp://127.0.0.1' has no scheme or name"),
        ("http://", "load: host 'http://' has no scheme or name"),
        ("http://127.0.0.1:port", "load: host 'http://127.0.0.1:port': Port could not be cast to integer"),
        ("http://[::1", "load: host 'http://[::1': Invalid IPv6 URL"),
        ("http://127.0.0.1:1", "load: nobody answers at http://127.0.0.1:1 (Connection refused)"),
        (f"http://{'a' * 70}:80", f"load: nobody answers at http://{'a' * 70}:80 ("),
    ],
)
def test_a_host_where_nobody_can_be_is_refused(server, host, message):
    assert refusal(visitor("/"), server, host=host).startswith(message)


def test_https_at_a_port_that_speaks_http_is_refused(server):
    https_url = server.url.replace("http:", "https:")
    assert refusal(visitor("/"), server, host=https_url).startswith(f"load: {https_url} does not speak TLS (")


def test_https_at_a_port_that_never_answers_is_refused_in_time(server, monkeypatch):
    monkeypatch.setattr("tailgate.engine.preflight._PATIENCE_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"https://127.0.0.1:{silent.getsockname()[1]}"
        assert refusal(visitor("/"), server, host=host).startswith(f"load: {host} does not speak TLS (")


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (
            None,
            "shape: None is not a shape; pass Stages, Peak, Stress, Soak, Spike, Arrivals or a locust.LoadTestShape",
        ),
        (3, "shape: 3 is not a shape"),
        (Stages(), "shape: has no stages; give it at least one"),
        (Peak(users=-1), "shape: Peak: stage 'ramp_up': users is -1, wanted a whole number"),
        (Spike(spike_s=0), "shape: Spike: stage 'spike': duration_s is 0, wanted a positive number of seconds"),
        ([*hold(1, 1), *hold(2, 1)], "shape: two stages are called 'hold'; names must differ"),
        (hold(0, 1), "shape: no stage has a user; nothing would be measured"),
        (
            [Stage(name="slow", duration_s=1, users=10, spawn_rate=5)],
            "shape: stage 'slow' goes from 0 to 10 users at 5 users/s and reaches 5 in its 1 s; raise spawn_rate or",
        ),
        (LoadTestShape, "shape: LoadTestShape has no tick(); pass a subclass of LoadTestShape that has one"),
        (Endless, "shape: Endless has no tick()"),
    ],
)
def test_shapes_that_no_run_could_follow_are_refused(server, shape, message):
    assert refusal(visitor("/"), server, shape=shape).startswith(message)


@pytest.mark.parametrize("name", ["request_timeout_s", "stop_timeout_s"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), "5"])
def test_lengths_of_time_must_be_positive_numbers(server, name, value):
    assert refusal(visitor("/"), server, **{name: value}) == (
        f"load: {name} is {value!r}, wanted a positive number of seconds"
    )


def test_all_problems_come_in_one_message(server):
    message = refusal([Browser, Idle], server, host="nowhere", shape=Stages(), request_timeout_s=0)
    assert [line.split()[1] for line in message.splitlines()] == ["Browser", "Idle", "request_timeout_s", "has", "host"]


def test_a_process_that_gevent_has_patched_is_refused(server, monkeypatch):
    monkeypatch.setattr(monkey, "is_module_patched", lambda name: name in {"socket", "ssl"})
    assert refusal(visitor("/"), server).startswith("load: gevent has monkey patched this process (socket, ssl)")


class Ticks(LoadTestShape):
    """Gives back what it was made with."""

    def __init__(self, tick):
        super().__init__()
        self.given = tick

    def tick(self):
        return self.given


@pytest.mark.parametrize("tick", [5, (1,), (-1, 1), (1, 0), ("many", 1), (1, 1, 5), (float("inf"), 1)])
def test_a_tick_that_locust_would_not_understand_ends_the_run_with_what_it_was(server, tick):
    with pytest.raises(BadInput) as caught:
        run(visitor("/"), server.url, Ticks(tick))
    assert str(caught.value) == (
        f"shape: Ticks.tick() returned {tick!r}, wanted (users >= 0, spawn rate > 0[, user classes])"
    )
    assert server.count == 0


def test_a_tick_for_a_class_that_is_not_there_names_those_that_are(server):
    with pytest.raises(BadInput, match=r"asks for users of Tagged; the classes of this run: Visitor"):
        run(visitor("/"), server.url, Ticks((1, 1, [Tagged])), monitor=Watch())
    assert server.count == 0
