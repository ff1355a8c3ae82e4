"""Limits applied to runs."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailgate.checks import measure, samples_wanted, worst_first
from tailgate.model import CheckOutcome, Severity, Stage
from tailgate.samples import Outcome
from tests.unit.judged_examples import check
from tests.unit.run_examples import (
    checks_of,
    counter,
    failures,
    request,
    requests,
    run,
    samples,
    the_check,
    total,
)

PASS, FAIL, NO_DATA = CheckOutcome.PASS, CheckOutcome.FAIL, CheckOutcome.NO_DATA
NORMAL = Stage(name="normal", duration_s=4, users=5)
SPIKE = Stage(name="spike", duration_s=2, users=30)
RECOVERY = Stage(name="recovery", duration_s=4, users=5)
THREE = (NORMAL, SPIKE, RECOVERY)
STEPS = tuple(Stage(name=f"step_{users}", duration_s=3, users=users) for users in (10, 20, 30))


# What the metrics are

MIXED = [*requests(6, 10), *requests(2, 50, start_s=1), *failures(2, start_s=2)]


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("p50_ms", 10),
        ("p75_ms", 10),
        ("p75.1_ms", 50),
        ("p99.9_ms", 50),
        ("mean_ms", 20),
        ("max_ms", 50),
        ("failure_ratio", 0.2),
        ("failures", 2),
        ("requests", 10),
        ("throughput_rps", 2),
    ],
)
def test_each_metric_is_measured_in_its_own_unit(metric, value):
    assert measure(metric, samples(MIXED), 4.0) == value


@pytest.mark.parametrize("metric", ["p95_ms", "mean_ms", "max_ms", "failure_ratio", "failures", "requests"])
def test_without_samples_or_time_nothing_is_measured(metric):
    assert measure(metric, samples([]), 4.0) is None
    assert measure(metric, samples(MIXED), 0.0) is None


def test_only_failures_have_no_latency_but_a_ratio():
    only = samples(failures(5))

    assert [measure(metric, only, 1.0) for metric in ("p95_ms", "mean_ms", "max_ms")] == [None] * 3
    assert [measure(metric, only, 1.0) for metric in ("failure_ratio", "failures", "throughput_rps")] == [1, 5, 0]


def test_a_censored_request_counts_as_a_failure_and_in_no_latency():
    hung = samples([*requests(3), ("GET Home", 1.0, 30_000.0, Outcome.CENSORED)])

    assert measure("failure_ratio", hung, 1.0) == 0.25
    assert measure("max_ms", hung, 1.0) == 10


# Limits


@pytest.mark.parametrize(
    ("limit", "outcome"),
    [
        ({"max": 10}, PASS),
        ({"max": 9.999}, FAIL),
        ({"min": 10}, PASS),
        ({"min": 10.001}, FAIL),
        ({"min": 5, "max": 20}, PASS),
        ({"min": 11, "max": 20}, FAIL),
    ],
)
def test_a_limit_includes_its_own_value(limit, outcome):
    assert the_check(run(requests(100)), total("p95_ms", **limit)).outcome is outcome


def test_a_check_carries_its_figures():
    found = the_check(run(requests(100, 312.4)), total("p95_ms", max=250))

    assert (found.subject, found.window, found.actual, found.samples) == ("total", "total", 312.4, 100)
    assert str(found) == "total: p95 312 ms breaks <= 250 ms (n = 100; thresholds.yaml:5)"


def test_every_limit_is_checked_and_none_short_circuits():
    found = checks_of(
        run([*requests(60, 300), *failures(40, start_s=3)]),
        total("p95_ms", max=250),
        total("failure_ratio", max=0.01),
        total("requests", min=100),
        total("throughput_rps", min=20),
    )

    assert [one.outcome for one in found] == [FAIL, FAIL, PASS, FAIL]
    assert [one.actual for one in found] == [300, 0.4, 100, 6]


def test_a_not_a_number_passes_no_limit():
    one = run(requests(5), counters={"drift": math.nan})

    assert the_check(one, counter("drift", max=2)).outcome is FAIL
    assert the_check(one, counter("drift", min=2)).outcome is FAIL


# No data is never a pass


@pytest.mark.parametrize(
    "threshold",
    [
        total("p95_ms", max=250),
        total("failure_ratio", max=0.01),
        total("failures", max=0),
        total("requests", max=10),
        total("throughput_rps", max=10),
        request("GET Home", "failure_ratio", max=1),
        request("*", "mean_ms", max=250),
        counter("oversold", max=0),
    ],
    ids=lambda threshold: f"{threshold.subject} {threshold.metric}",
)
def test_no_data_fails_the_check(threshold):
    found = the_check(run(), threshold)

    assert (found.outcome, found.actual, found.samples, found.is_failed) == (NO_DATA, None, 0, True)


@given(
    st.sampled_from(["p50_ms", "p95_ms", "mean_ms", "max_ms", "failure_ratio", "failures", "requests"]),
    st.sampled_from(["total", "GET Home", "Home", "*", "POST *"]),
    st.sampled_from([None, "normal", "spike", "*", "typo"]),
    st.sampled_from(["fail", "warn"]),
    st.booleans(),
    st.floats(0, 20),
    st.sampled_from([0.0, 3.0, 4.0, 6.0, 10.0]),
)
def test_a_check_passes_only_with_samples(  # noqa: PLR0917 - drawn by hypothesis
    metric, subject, stage, severity, is_stress, warmup_s, ended_s
):
    make = total if subject == "total" else lambda metric, **limit: request(subject, metric, **limit)
    one = run(failures(3, start_s=5), stages=THREE, duration_s=ended_s, warmup_s=warmup_s, is_stress=is_stress)

    found = checks_of(one, make(metric, max=1e9, stage=stage, severity=Severity(severity)))

    # Only steps of a stress run that were never begun go without a check.
    assert found or is_stress
    assert all(each.samples > 0 for each in found if each.outcome is PASS)
    assert all(each.note for each in found if each.outcome is NO_DATA)


def test_a_latency_of_only_failures_says_so():
    assert str(the_check(run(requests(1_200, every_s=0.001, outcome=Outcome.FAILURE)), total("p95_ms", max=250))) == (
        "total: p95 has no data, wanted <= 250 ms: all 1,200 requests failed (n = 0; thresholds.yaml:5)"
    )


def test_a_total_without_requests_says_so():
    assert the_check(run(), total("p95_ms", max=250)).note == "no requests"


def test_an_unknown_request_says_which_were_seen():
    one = run([*requests(2, key="POST Buy"), *requests(2)])

    assert str(the_check(one, request("GET Hme", "p95_ms", max=250))) == (
        "GET Hme: p95 has no data, wanted <= 250 ms: no request of that name; seen: GET Home, POST Buy "
        "(n = 0; thresholds.yaml:7)"
    )
    assert the_check(run(), request("Home", "p95_ms", max=250)).note == "no request of that name; seen: none"


def test_an_optional_request_that_was_never_sent_is_not_checked():
    assert checks_of(run(requests(2)), request("Rare", "p95_ms", max=250, allow_no_data=True)) == ()


def test_an_optional_request_that_only_failed_is_no_pass():
    one = run(failures(3, key="GET Rare"))

    assert the_check(one, request("Rare", "p95_ms", max=250, allow_no_data=True)).outcome is NO_DATA


# Too few samples


@pytest.mark.parametrize(
    ("threshold", "wanted"),
    [
        (total("p95_ms", max=1), 59),
        (total("p99_ms", max=1), 299),
        (total("p99.9_ms", max=1), 2_995),
        (total("p95_ms", max=1, min_samples=10), 10),
        (total("mean_ms", max=1), 1),
        (total("failure_ratio", max=1, min_samples=500), 500),
    ],
)
def test_a_percentile_asks_for_the_samples_it_needs_unless_told(threshold, wanted):
    assert samples_wanted(threshold) == wanted


def test_a_warning_that_rests_on_too_few_samples_has_no_data():
    found = the_check(run(requests(58)), total("p95_ms", max=250, severity=Severity.WARN))

    assert (found.outcome, found.actual, found.samples) == (NO_DATA, None, 58)
    assert found.note == "58 samples, 59 needed"
    assert not found.is_failed


def test_a_warning_with_enough_samples_is_judged():
    assert the_check(run(requests(59)), total("p95_ms", max=250, severity=Severity.WARN)).outcome is PASS
    assert the_check(run(requests(59)), total("p95_ms", max=5, severity=Severity.WARN)).outcome is FAIL


def test_a_step_with_too_few_samples_has_no_data():
    one = run(requests(58), stages=STEPS[:1], is_stress=True)

    assert the_check(one, total("p95_ms", max=250, stage="*")).note == "58 samples, 59 needed"


def test_only_successes_count_for_a_latency():
    one = run([*requests(58), *failures(500, start_s=1)])

    assert the_check(one, total("p95_ms", max=250)).samples == 58
    assert the_check(one, total("failure_ratio", max=1)).samples == 558


# Counters


def test_a_counter_is_checked_by_its_own_name():
    one = run(requests(1), counters={"units_sold": 200, "oversold": 0})

    assert the_check(one, counter("units_sold", min=200, max=200)).outcome is PASS
    assert the_check(one, counter("oversold", max=0)).outcome is PASS
    assert the_check(one, counter("oversold", min=1)).outcome is FAIL


def test_a_missing_counter_says_which_there_are():
    one = run(requests(1), counters={"units_sold": 200, "oversold": 0})

    assert str(the_check(one, counter("retries", max=5))) == (
        "retries: count has no data, wanted <= 5: it was never counted (add 0 to it at the start if it may stay 0); "
        "the run has these counters: oversold, units_sold (n = 0; thresholds.yaml:9)"
    )
    assert the_check(run(), counter("retries", max=5)).note.endswith("the run has these counters: none")


def test_an_optional_counter_may_be_missing_but_not_break():
    assert checks_of(run(), counter("retries", max=5, allow_no_data=True)) == ()
    assert the_check(run(counters={"retries": 6}), counter("retries", max=5, allow_no_data=True)).outcome is FAIL


def test_a_warning_about_a_counter_needs_one_count_only():
    found = the_check(run(counters={"retries": 6}), counter("retries", max=5, severity=Severity.WARN, min_samples=9))

    assert (found.outcome, found.is_failed) == (FAIL, False)


# Order


def test_checks_come_in_the_order_of_the_file():
    one = run(requests(60), counters={"sold": 1})

    found = checks_of(one, counter("sold", min=1), request("Home", "max_ms", max=1), total("p95_ms", max=1))

    assert [each.subject for each in found] == ["sold", "GET Home", "total"]


def test_the_worst_comes_first():
    nothing = check("total", "p99_ms", None, max=250)
    twice = check("GET A", "p95_ms", 500, max=250)
    far_too_few = check("units_sold", "count", 50, min=200)
    just = check("GET B", "p95_ms", 251, max=250)
    fine = check("GET C", "p95_ms", 20, max=250)

    assert worst_first([fine, just, far_too_few, nothing, twice]) == (nothing, twice, far_too_few, just, fine)


def test_breaking_a_limit_of_zero_comes_before_any_finite_excess():
    oversold = check("oversold", "count", 1, max=0)
    slow = check("total", "p95_ms", 25_000, max=250)

    assert worst_first([slow, oversold]) == (oversold, slow)


@given(st.permutations([check("total", "p95_ms", value, max=100) for value in (None, 90, 110, 150, 1_000)]))
def test_the_order_found_does_not_matter(checks):
    assert [each.actual for each in worst_first(checks)] == [None, 1_000, 150, 110, 90]
