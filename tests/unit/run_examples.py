"""Literal runs that are not judged yet, for the tests of whatever judges them."""

from __future__ import annotations

from collections.abc import Sequence

from tailgate.checks import check_run
from tailgate.model import Check, CheckOutcome, Scenario, Stage, Threshold
from tailgate.run import RunFacts, RunResult
from tailgate.samples import Outcome, SampleLog, Samples
from tests.unit.judged_examples import HEALTH

Row = tuple[str, float, float, Outcome]
"""Key, start in seconds, latency in milliseconds, outcome."""

HOLD = Stage(name="hold", duration_s=10.0, users=5)


def requests(
    count: int,
    latency_ms: float = 10.0,
    *,
    key: str = "GET Home",
    start_s: float = 0.0,
    every_s: float = 0.01,
    outcome: Outcome = Outcome.SUCCESS,
) -> list[Row]:
    """Equal requests, one every 10 ms from ``start_s`` on."""
    return [(key, start_s + number * every_s, latency_ms, outcome) for number in range(count)]


def failures(count: int, *, key: str = "GET Home", start_s: float = 0.0) -> list[Row]:
    """Failed requests of 10 ms."""
    return requests(count, key=key, start_s=start_s, outcome=Outcome.FAILURE)


def samples(rows: Sequence[Row]) -> Samples:
    log = SampleLog()
    for key, start_s, latency_ms, outcome in rows:
        method, _, name = key.partition(" ")
        log.add(method, name, start_s, latency_ms, outcome)
    return log.freeze()


def run(rows: Sequence[Row] = (), *, stages: Sequence[Stage] = (HOLD,), **changes) -> RunResult:
    """A run of 10 s with 5 users that went well, with the given fields instead of its own."""
    fields = {
        "test": "perf_tests/test_peak.py::test_peak",
        "scenario": "peak",
        "host": "http://127.0.0.1:8080",
        "started_at": "2025-03-01T12:00:00+00:00",
        "duration_s": sum(stage.duration_s for stage in stages),
        "stages": tuple(stages),
        "users_reached": tuple(stage.users for stage in stages),
        "samples": samples(rows),
        "warmup_s": 0.0,
        "errors": (),
        "counters": {},
        "generator": HEALTH,
        "facts": RunFacts(),
    }
    return RunResult(**{**fields, **changes})


def total(metric: str, **limit) -> Threshold:
    """A limit on all requests."""
    return Threshold(kind="total", subject="total", metric=metric, source="thresholds.yaml:5", **limit)


def request(subject: str, metric: str, **limit) -> Threshold:
    """A limit on the requests of a name or pattern."""
    return Threshold(kind="request", subject=subject, metric=metric, source="thresholds.yaml:7", **limit)


def counter(name: str, **limit) -> Threshold:
    """A limit on a counter."""
    return Threshold(kind="counter", subject=name, metric="count", source="thresholds.yaml:9", **limit)


def scenario(*thresholds: Threshold, **changes) -> Scenario:
    return Scenario(name="peak", thresholds=thresholds, **changes)


def checks_of(one: RunResult, *thresholds: Threshold) -> tuple[Check, ...]:
    return check_run(one, scenario(*thresholds))


def the_check(one: RunResult, threshold: Threshold) -> Check:
    """The only check that the threshold makes of the run."""
    (only,) = checks_of(one, threshold)
    return only


def places(checks: Sequence[Check]) -> list[tuple[str, str, CheckOutcome]]:
    return [(found.subject, found.window, found.outcome) for found in checks]
