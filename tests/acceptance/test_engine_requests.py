"""Every request is recorded once, with what really happened to it, whatever the server does."""

import time

import gevent
import pytest
from locust import FastHttpUser, User, constant, events, task

from tailgate.run import RunResult
from tailgate.samples import Outcome
from tests.acceptance.engine_runs import hold, run, visitor

pytest_plugins = ["tests.acceptance.engine_fixtures"]


def errors(result: RunResult) -> dict[str, int]:
    return {error.error: error.count for error in result.errors}


def is_clean(result: RunResult) -> bool:
    """Tell whether nothing but requests happened."""
    facts = result.facts
    return not (facts.user_deaths or facts.task_exceptions or facts.listener_errors or facts.unreported)


def test_the_server_received_exactly_what_was_recorded(server):
    result = run(visitor("/hello"), server.url, hold(5, 0.7))
    assert server.received() == {"GET /hello": len(result.samples)}
    assert result.samples.keys == ("GET /hello",)
    assert len(result.samples) > 50
    assert result.samples.failures == 0
    assert is_clean(result)


def test_the_failure_ratio_is_exact(server):
    result = run(visitor("/status/200,500,200,404"), server.url, hold(4, 0.7))
    sent = server.count
    failed = sum(index % 4 in {1, 3} for index in range(sent))
    assert (len(result.samples), result.samples.failures) == (sent, failed)
    assert errors(result) == {
        "HTTP status 500": sum(index % 4 == 1 for index in range(sent)),
        "HTTP status 404": sum(index % 4 == 3 for index in range(sent)),
    }
    assert is_clean(result)


def test_latencies_are_those_that_the_server_took(server):
    """Of four answers one takes 80 ms longer; the upper bounds leave room for a busy machine."""
    result = run(visitor("/delay/5,5,5,85", wait_s=0), server.url, hold(2, 1.0))
    assert 4 <= result.total.p50_ms < 80
    assert 84 <= result.total.p95_ms < 500
    assert result.samples.latency_ms.min() >= 4


def test_requests_start_within_the_run_and_in_order(server):
    result = run(visitor("/"), server.url, hold(3, 0.6))
    assert result.samples.start_s.min() >= 0
    assert result.samples.start_s.max() < 0.6 + 0.5
    assert result.duration_s == pytest.approx(0.6)


class Shopper(FastHttpUser):
    wait_time = constant(0.02)

    @task
    def everything(self):
        self.client.get("/a", name="Named")
        self.client.post("/b", json={"x": 1})
        with self.client.rename_request("Grouped"):
            self.client.put("/c?id=1", data="x")
            self.client.delete("/c?id=2")
        with self.rest("GET", "/d", name="Rest") as answer:  # No JSON: a failure.
            assert answer.status_code == 200
        self.counters.add("rounds")


def test_names_and_methods_are_the_users_own(server):
    result = run(Shopper, server.url)
    rounds = result.counters["rounds"]
    by_key = {key: (len(samples), samples.failures) for key, samples in result.samples.by_key()}
    assert by_key == {
        "GET Named": (rounds, 0),
        "POST /b": (rounds, 0),
        "PUT Grouped": (rounds, 0),
        "DELETE Grouped": (rounds, 0),
        "GET Rest": (rounds, rounds),
    }
    assert server.received() == dict.fromkeys(["GET /a", "POST /b", "PUT /c?id=1", "DELETE /c?id=2", "GET /d"], rounds)


class Checker(FastHttpUser):
    wait_time = constant(0.02)

    @task
    def checks(self):
        with self.client.get("/status/404", name="Expected", catch_response=True) as answer:
            if answer.status_code == 404:
                answer.success()
        with self.client.get("/fine", name="Wrong", catch_response=True) as answer:
            answer.failure("the price is wrong")


def test_catch_response_decides_the_outcome(server):
    result = run(Checker, server.url)
    outcomes = {key: set(samples.outcome.tolist()) for key, samples in result.samples.by_key()}
    assert outcomes == {"GET Expected": {Outcome.SUCCESS}, "GET Wrong": {Outcome.FAILURE}}
    assert list(errors(result)) == ["CatchResponseError: the price is wrong"]


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/close", "HTTPConnectionClosed: connection closed."),
        ("/reset", "HTTPConnectionClosed: connection closed."),
        ("/cut", "HTTPParseError: Incomplete response."),
        ("/garbage", "HTTPParseError: "),
        ("/binary/500", "HTTP status 500"),
        ("/encoding/gzip", "error: Error -3 while decompressing data"),
        ("/encoding/unheard-of", "HTTPParseError: Unknown content encoding: unheard-of"),
        ("/astray", "HTTPParseError: Invalid IPv6 URL"),
    ],
)
def test_a_broken_answer_is_one_failure_of_one_request(server, path, error):
    result = run(visitor(path), server.url, hold(2, 0.3))
    assert server.received() == {f"GET {path}": len(result.samples)}
    assert result.samples.failures == len(result.samples) > 0
    assert len(result.errors) == 1
    assert result.errors[0].error.startswith(error)
    assert is_clean(result)


def test_large_bodies_and_redirects_are_requests_like_others(server):
    result = run([visitor("/big/10000000")], server.url, hold(1, 0.3))
    assert (server.count, result.samples.failures) == (len(result.samples), 0)
    result = run([visitor("/redirect/there")], server.url, hold(1, 0.3))
    assert server.received()["GET /there"] == len(result.samples)
    assert result.samples.keys == ("GET /redirect/there",)


@pytest.mark.parametrize("path", ["/hang", "/drip"])
def test_a_request_without_a_complete_answer_in_time_is_a_failure(server, path):
    result = run(visitor(path), server.url, hold(3, 0.3), request_timeout_s=0.2)
    assert server.count == len(result.samples) >= 3
    assert errors(result) == {"RequestTimeout: no complete answer within 0.2 s": len(result.samples)}
    assert (result.samples.latency_ms >= 199).all()
    assert result.samples.latency_ms.max() < 1000
    assert result.samples.censored == 0


def test_the_deadline_holds_over_all_retries_of_the_client(server):
    result = run(visitor("/hang", max_retries=5), server.url, hold(1, 0.3), request_timeout_s=0.2)
    assert server.count == len(result.samples) >= 1
    assert result.samples.latency_ms.max() < 1000


def test_an_upload_that_gets_stuck_ends_at_its_deadline_and_leaves_no_connection(server):
    upload = visitor("", tasks=[lambda user: user.client.post("/deaf", data=b"x" * 30_000_000)], concurrency=1)
    result = run(upload, server.url, hold(1, 0.6), request_timeout_s=0.2)
    assert server.count == len(result.samples) >= 2
    assert errors(result) == {"RequestTimeout: no complete answer within 0.2 s": len(result.samples)}


class Attributing(FastHttpUser):
    """Gets a late answer and a prompt one in turn, and notes when an answer is not the one to its request."""

    wait_time = constant(0)

    @task
    def late_then_prompt(self):
        for path in ("/delay/150/late", "/prompt"):
            answer = self.client.get(path)
            if answer.status_code and answer.text != path:
                self.counters.add("mixed up")
            self.counters.add("answered" if answer.status_code else "late")


def test_a_late_answer_is_never_taken_for_that_to_a_later_request(server):
    result = run(Attributing, server.url, hold(4, 0.7), request_timeout_s=0.1)
    assert "mixed up" not in result.counters
    assert result.counters["answered"] > 10
    assert result.counters["late"] > 10
    assert server.count == len(result.samples)


def test_a_hung_request_is_censored_at_the_end(server):
    result = run(visitor("/hang"), server.url, hold(3, 0.3), stop_timeout_s=0.4)
    assert server.count == len(result.samples) == result.samples.censored == 3
    assert (result.samples.latency_ms >= 400).all()
    assert errors(result) == {"no answer when the run ended": 3}
    assert is_clean(result)


def test_a_request_that_ends_while_the_users_stop_is_an_ordinary_one(server):
    result = run(visitor("/delay/400"), server.url, hold(2, 0.2), stop_timeout_s=2.0)
    assert (len(result.samples), result.samples.failures) == (2, 0)


class Fetcher(FastHttpUser):
    """Sends requests from greenlets of its own, as a browser does for the parts of a page."""

    wait_time = constant(0.02)

    @task
    def page(self):
        gevent.spawn(self.client.get, "/hang")
        gevent.joinall([gevent.spawn(self.client.get, f"/part/{number}") for number in range(3)])


def test_requests_from_greenlets_of_the_users_own_are_ended_and_censored_too(server):
    result = run(Fetcher, server.url, hold(1, 0.1), stop_timeout_s=0.2)
    assert server.count == len(result.samples)
    assert result.samples.censored == server.received()["GET /hang"]
    assert is_clean(result)


def test_users_may_wrap_their_client(server):
    class Wrapped(FastHttpUser):
        wait_time = constant(0.02)

        def __init__(self, environment):
            super().__init__(environment)
            self.client = self.client.get

        @task
        def get(self):
            self.client("/")

    result = run(Wrapped, server.url, hold(1, 0.2))
    assert (len(result.samples), result.samples.failures) == (server.count, 0)
    assert is_clean(result)


def test_a_request_outside_of_the_users_is_recorded_and_ends_nothing(server):
    clients = []
    get_last = events.test_stop.add_listener(lambda **_: clients[0].get("/last"))
    try:
        result = run(visitor("/", on_start=lambda user: clients.append(user.client)), server.url, hold(1, 0.1))
    finally:
        events.test_stop.remove_listener(get_last)
    assert server.received()["GET /last"] == 1
    assert len(result.samples) == server.count


class Dialler(User):
    """Speaks a protocol of its own."""

    wait_time = constant(0)

    @task
    def measured(self):
        with self.environment.events.request.measure("RPC", "quick"):
            gevent.sleep(0.01)
        with self.environment.events.request.measure("RPC", "broken"):
            raise ValueError("no such method")
        with self.environment.events.request.measure("RPC", "hung"):
            gevent.sleep(3600)


def test_a_client_of_ones_own_is_measured_and_censored_through_events(server):
    result = run(Dialler, server.url, hold(1, 0.2), stop_timeout_s=0.2)
    outcomes = {key: samples.outcome.tolist() for key, samples in result.samples.by_key()}
    assert outcomes == {
        "RPC quick": [Outcome.SUCCESS],
        "RPC broken": [Outcome.FAILURE],
        "RPC hung": [Outcome.CENSORED],
    }


def test_a_base_url_may_have_a_path_and_an_ipv6_address(server):
    result = run(visitor("/x"), f"{server.url}/shop/", hold(1, 0.1))
    assert server.received() == {"GET /shop/x": len(result.samples)}
    if server.ipv6_url is None:
        pytest.skip("this machine has no IPv6")
    result = run(visitor("/six"), server.ipv6_url, hold(1, 0.1))
    assert (server.received()["GET /six"], result.samples.failures) == (len(result.samples), 0)


def test_a_warm_up_is_recorded_but_not_counted(server):
    result = run(visitor("/"), server.url, hold(2, 0.6), warmup_s=0.3)
    assert len(result.samples) == server.count > result.total.samples > 0


def test_a_run_is_not_held_up_by_what_it_measures(server):
    began = time.monotonic()
    run(visitor("/hang"), server.url, hold(2, 0.2), stop_timeout_s=0.3)
    assert time.monotonic() - began < 3
