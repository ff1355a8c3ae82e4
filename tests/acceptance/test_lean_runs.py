"""Load tests with `LeanHttpUser`: every request is one sample, however it ends, in both models and in duets."""

from __future__ import annotations

from functools import partial

import gevent
import pytest
from locust import constant, task

from tailgate import Arrivals, LeanHttpUser
from tailgate.samples import Outcome
from tests.acceptance.engine_runs import hold, run, run_both
from tests.acceptance.engine_runs import visitor as visitor_of
from tests.acceptance.test_engine_isolation import assert_back_to, measured  # noqa: F401 - a fixture
from tests.acceptance.test_engine_requests import errors, is_clean

pytest_plugins = ["tests.acceptance.engine_fixtures"]

visitor = partial(visitor_of, base=LeanHttpUser)


def test_the_server_received_exactly_what_was_recorded(server):
    result = run(visitor("/status/200,500,200,404"), server.url, hold(5, 0.7))
    assert server.received() == {"GET /status/200,500,200,404": len(result.samples)}
    assert errors(result).keys() == {"HTTP status 500", "HTTP status 404"}
    assert result.samples.failures == sum(errors(result).values())
    assert is_clean(result)


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/close", "ConnectionClosed: the server closed the connection without an answer"),
        ("/reset", "ConnectionResetError: "),
        ("/cut", "ConnectionClosed: the server closed the connection 10 bytes into the body of its answer"),
        ("/garbage", "MalformedAnswer: the answer is not HTTP: "),
        ("/binary/500", "HTTP status 500"),
        ("/encoding/gzip", "EncodingError: the body is not gzip: Error -3 while decompressing data"),
        ("/encoding/unheard-of", "EncodingError: the body has the unknown encoding 'unheard-of'"),
        ("/astray", "RedirectError: redirected to an impossible place: "),
    ],
)
def test_a_broken_answer_is_one_failure_of_one_request(server, path, error):
    result = run(visitor(path), server.url, hold(2, 0.3))
    assert server.received() == {f"GET {path}": len(result.samples)}
    assert result.samples.failures == len(result.samples) > 0
    assert len(result.errors) == 1
    assert result.errors[0].error.startswith(error)
    assert is_clean(result)


@pytest.mark.parametrize("path", ["/close", "/reset", "/cut"])
def test_no_request_that_a_server_drops_is_sent_twice(server, path):
    tasks = [lambda user: user.client.get("/fine"), lambda user: user.client.get(path)]
    result = run(visitor("", tasks=tasks, wait_s=0.005), server.url, hold(3, 0.6))
    by_key = {key: (len(samples), samples.failures) for key, samples in result.samples.by_key()}
    received = server.received()
    assert by_key == {"GET /fine": (received["GET /fine"], 0), f"GET {path}": (received[f"GET {path}"],) * 2}


@pytest.mark.parametrize("path", ["/hang", "/drip"])
def test_a_request_without_a_complete_answer_in_time_is_a_failure(server, path):
    result = run(visitor(path), server.url, hold(3, 0.3), request_timeout_s=0.2)
    assert server.count == len(result.samples) >= 3
    assert errors(result) == {"RequestTimeout: no complete answer within 0.2 s": len(result.samples)}
    assert (result.samples.latency_ms >= 199).all()


def test_a_hung_request_is_censored_at_the_end(server):
    result = run(visitor("/hang"), server.url, hold(3, 0.3), stop_timeout_s=0.4)
    assert server.count == len(result.samples) == result.samples.censored == 3
    assert (result.samples.latency_ms >= 400).all()
    assert is_clean(result)


class Fetcher(LeanHttpUser):
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


class Attributing(LeanHttpUser):
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
    assert server.count == len(result.samples)


def test_a_task_that_breaks_in_a_with_block_has_its_request_counted(server):
    def breaking(user) -> None:
        with user.client.get("/", catch_response=True):
            raise ValueError("of the task")

    result = run(visitor("", tasks=[breaking]), server.url, hold(1, 0.2))
    assert (server.count, result.samples.failures) == (len(result.samples), 0)
    assert result.facts.unreported == 0
    assert sum(error.count for error in result.facts.task_exceptions) == len(result.samples)


def test_tasks_that_arrive_at_a_rate(server):
    result = run(visitor("/delay/30/x"), server.url, Arrivals(rate_rps=100, duration_s=1.0))
    assert server.count == len(result.samples) == result.generator.due
    assert result.samples.failures == result.generator.unsent == 0


def test_duets(server, other_server):
    base, candidate = run_both(visitor("/x"), (server, other_server), rate_rps=200, duration_s=0.6)
    assert (server.count, other_server.count) == (len(base.samples), len(candidate.samples))
    assert base.samples.failures == candidate.samples.failures == 0
    assert is_clean(base)


def test_a_run_leaves_nothing_behind(server, measured):  # noqa: F811 - the fixture
    run(visitor("/hang"), server.url, hold(2, 0.2), request_timeout_s=0.1)
    before = measured()
    run([visitor("/"), type("Other", (Fetcher,), {})], server.url, hold(4, 0.2), stop_timeout_s=0.2)
    assert_back_to(before, measured)


def test_outcomes_are_the_tasks_own(server):
    def checks(user) -> None:
        with user.client.get("/status/404", name="Expected", catch_response=True) as answer:
            answer.success()
        with user.client.get("/fine", name="Wrong", catch_response=True) as answer:
            answer.failure("the price is wrong")

    result = run(visitor("", tasks=[checks]), server.url)
    outcomes = {key: set(samples.outcome.tolist()) for key, samples in result.samples.by_key()}
    assert outcomes == {"GET Expected": {Outcome.SUCCESS}, "GET Wrong": {Outcome.FAILURE}}
