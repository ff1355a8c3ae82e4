"""What is counted of a run, as metrics."""

from __future__ import annotations

import pytest

from tailgate.telemetry.metrics import BOUNDS_S, RunMetrics
from tests.unit.telemetry_examples import RUN, notes

RUN_ATTRIBUTES = {"test.case.name": "test_x.py::test_peak", "tailgate.scenario": "peak"}


def points(metrics, name):
    (metric,) = [metric for metric in metrics.points(at_ns=200_000_000_000) if metric.name == name]
    return metric.data.data_points


def test_durations_are_added_up_in_seconds_over_several_looks():
    metrics = RunMetrics(RUN)
    metrics.add(notes(took_ms=[0.4, 5.0]))
    metrics.add(notes(took_ms=[5.1, 20_000.0]))
    (point,) = points(metrics, "http.client.request.duration")
    assert (point.count, point.min, point.max) == (4, 0.0004, 20.0)
    assert point.sum == pytest.approx(20.0105)
    counts = dict(zip([*BOUNDS_S, "more"], point.bucket_counts, strict=True))
    # A bound is the upper end of its bucket.
    assert {bound: count for bound, count in counts.items() if count} == {0.0005: 1, 0.005: 1, 0.0075: 1, "more": 1}
    assert (point.start_time_unix_nano, point.time_unix_nano) == (100_000_000_000, 200_000_000_000)
    assert point.attributes == RUN_ATTRIBUTES | {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "server.address": "shop.test",
        "server.port": 8080,
        "tailgate.request.name": "Get_All",
    }


def test_users_and_counters_are_those_of_the_last_look():
    metrics = RunMetrics(RUN)
    metrics.add(notes())
    metrics.add(notes())
    (users,) = points(metrics, "tailgate.users")
    assert (users.value, users.attributes) == (3, RUN_ATTRIBUTES)
    (sold,) = points(metrics, "tailgate.counter")
    assert (sold.value, sold.attributes) == (2, RUN_ATTRIBUTES | {"tailgate.counter.name": "sold"})


def test_buckets_grow_and_reach_from_half_a_millisecond_to_ten_seconds():
    assert list(BOUNDS_S) == sorted(set(BOUNDS_S))
    assert (BOUNDS_S[0], BOUNDS_S[-1]) == (0.0005, 10.0)
