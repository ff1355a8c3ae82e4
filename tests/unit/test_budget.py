"""Failure budgets that are spent for good."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailgate.budget import spent_budget
from tailgate.model import Severity
from tests.unit.run_examples import counter, request, scenario, total

ONE_PERCENT = total("failure_ratio", max=0.01)
FIVE = total("failures", max=5)


def spent(*limits, samples=1_000, failures=0, rps_per_user=1.0, left_user_s=0.0):
    return spent_budget(
        scenario(*limits), samples=samples, failures=failures, rps_per_user=rps_per_user, left_user_s=left_user_s
    )


@pytest.mark.parametrize(("failures", "is_spent"), [(5, False), (6, True)])
def test_a_number_of_failures_is_spent_when_one_more_has_failed(failures, is_spent):
    assert bool(spent(FIVE, failures=failures)) is is_spent


def test_a_number_of_failures_is_spent_however_few_requests_there_were():
    assert spent(FIVE, samples=6, failures=6) == "6 failures are more than the 5 allowed (thresholds.yaml:5)"


@pytest.mark.parametrize(("failures", "is_spent"), [(30, False), (31, True)])
def test_a_ratio_is_spent_when_only_successes_could_not_save_it(failures, is_spent):
    # 1,000 requests so far, and at most 2 * 1 * 1,000 to come: 1 % of 3,000 is 30.
    assert bool(spent(ONE_PERCENT, failures=failures, left_user_s=1_000)) is is_spent


def test_a_spent_ratio_tells_its_figures():
    assert spent(ONE_PERCENT, failures=1_031, left_user_s=1_000) == (
        "1,031 of 1,000 requests failed, and 1 % of at most 3,000 cannot be kept any more (thresholds.yaml:5)"
    )


def test_a_ratio_is_not_looked_at_before_the_rate_of_requests_is_known():
    assert spent(ONE_PERCENT, samples=49, failures=49) == ""
    assert spent(ONE_PERCENT, samples=50, failures=50) != ""


def test_where_only_the_shape_knows_its_end_a_ratio_may_always_recover():
    assert spent(ONE_PERCENT, failures=1_000, left_user_s=math.inf) == ""


def test_a_ratio_of_zero_never_recovers():
    assert spent(total("failure_ratio", max=0), failures=1, left_user_s=math.inf) == (
        "1 of 1,000 requests failed, and 0 % of however many cannot be kept any more (thresholds.yaml:5)"
    )
    assert spent(total("failure_ratio", max=0), left_user_s=math.inf) == ""


@pytest.mark.parametrize(
    "limit",
    [
        total("failure_ratio", max=0, severity=Severity.WARN),
        total("failure_ratio", max=0, stage="hold"),
        total("failure_ratio", min=0),
        total("p95_ms", max=0),
        request("Home", "failures", max=0),
        counter("failed_purchases", max=0),
    ],
    ids=str,
)
def test_only_upper_limits_on_all_failures_of_the_run_cut_it(limit):
    assert spent(limit, failures=1_000) == ""


def test_the_first_budget_that_is_spent_is_told():
    assert spent(ONE_PERCENT, FIVE, failures=7).startswith("7 failures")
    assert spent(FIVE, ONE_PERCENT, failures=70).startswith("70 failures")
    assert spent() == ""


@given(st.integers(50, 5_000), st.integers(0, 5_000), st.floats(0.1, 50), st.floats(0, 1_000), st.floats(0, 1))
def test_a_run_is_cut_only_when_its_end_would_break_the_limit(samples, failures, rps_per_user, left_user_s, share):
    failed = min(failures, samples)
    to_come = share * 2 * rps_per_user * left_user_s

    if spent(ONE_PERCENT, samples=samples, failures=failed, rps_per_user=rps_per_user, left_user_s=left_user_s):
        assert failed / (samples + to_come) > 0.01
