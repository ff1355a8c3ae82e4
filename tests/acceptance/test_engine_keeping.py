"""What a run hands over while it goes on, and long runs in histograms."""

from dataclasses import replace

import pytest

from tailgate.engine import keeping, make_plan, run_load
from tailgate.histograms import Histograms
from tests.acceptance.engine_runs import Watch, hold, run, visitor

pytest_plugins = ["tests.acceptance.engine_fixtures"]


class Notes:
    """Notes what a run hands over."""

    def __init__(self):
        self.calls = []

    def __call__(self, pairs, pieces, so_far):
        self.calls.append((pairs, [dict(piece) for piece in pieces], so_far))

    @property
    def latencies_ms(self):
        return [ms for _, pieces, _ in self.calls for piece in pieces for ms in piece["latency_ms"]]


@pytest.fixture
def keep(monkeypatch):
    monkeypatch.setattr(keeping, "SEAL_EVERY_S", 0.1)
    return Notes()


def keep_run(users, url, keep, duration_s=0.6):

    plan = replace(make_plan(users, shape=hold(2, duration_s), host=url, stop_timeout_s=1.0), keep=keep)
    return run_load(plan, test="a test", scenario="a scenario", warmup_s=0.0, monitor=Watch())


def test_every_request_is_handed_over_once_while_the_run_goes_on(server, keep):
    result = keep_run(visitor("/hello"), server.url, keep, duration_s=1.0)

    assert sorted(keep.latencies_ms) == sorted(result.samples.latency_ms.tolist())
    assert len(keep.calls) >= 3
    assert keep.calls[-1][0] == (("GET", "/hello"),)


def test_what_goes_with_the_requests_is_the_run_as_far_as_it_got(server, keep):
    result = keep_run(visitor("/status/500"), server.url, keep)
    first, last = keep.calls[0][2], keep.calls[-1][2]

    assert 0 < first.duration_s < last.duration_s == result.duration_s
    assert (first.test, first.started_at, first.host) == (result.test, result.started_at, result.host)
    assert last.users_reached == (2,)
    assert last.errors == result.errors
    assert last.generator.cpu_ratio > 0
    assert len(last.samples) == 0


def test_requests_that_end_while_users_are_stopped_are_handed_over(server, keep):
    result = keep_run(visitor("/hang"), server.url, keep, duration_s=0.2)

    assert result.samples.censored == 2
    assert len(keep.latencies_ms) == 2


def test_what_keeps_a_run_and_raises_ends_it_as_an_error(server, keep):
    def broken(*_):
        raise ZeroDivisionError("in the keeper")

    with pytest.raises(ZeroDivisionError, match="in the keeper"):
        keep_run(visitor("/hello"), server.url, broken)


def test_a_long_run_is_kept_in_histograms(server, monkeypatch):
    monkeypatch.setattr("tailgate.engine.arm.MOST_EXACT", 20)
    monkeypatch.setattr(keeping, "SEAL_EVERY_S", 0.1)
    result = run(visitor("/hello"), server.url, hold(2, 1.0))

    assert isinstance(result.samples, Histograms)
    assert (len(result.samples), result.samples.failures) == (server.count, 0)
    assert result.total.p50_ms > 0
