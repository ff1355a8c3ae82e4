"""What is counted per request, candidate against baseline."""

import re

import numpy as np
import pytest

from tailgate.compare import (
    BlockCounts,
    CompareSettings,
    Outcome,
    compare_cost,
    compare_shares,
    count_failures,
)
from tests.unit.block_examples import counts
from tests.unit.duet_streams import CI, stream, with_failures

SETTINGS = CompareSettings()


def cost(factor, *, blocks=60, seed=0, rounds=2):
    """Processor seconds of blocks of 100 requests that take about 2 ms each; both arms share a fifth of noise."""
    rng = np.random.default_rng(seed)
    shared = 0.2 * np.exp(0.2 * rng.standard_normal(blocks))
    noise = np.exp(0.05 * rng.standard_normal((2, blocks)))
    return counts(shared * noise[0], factor * shared * noise[1], rounds=rounds)


def swapped(these):
    return BlockCounts(
        base=these.candidate,
        candidate=these.base,
        base_requests=these.candidate_requests,
        candidate_requests=these.base_requests,
        round_index=these.round_index,
    )


@pytest.mark.parametrize(
    ("factor", "outcome"),
    [(1.0, Outcome.UNCHANGED), (1.2, Outcome.REGRESSED), (1.1, Outcome.INCONCLUSIVE), (0.8, Outcome.IMPROVED)],
)
def test_processor_time_per_request_is_compared_as_a_ratio(factor, outcome):
    result = compare_cost(cost(factor), SETTINGS)
    assert result.outcome is outcome
    assert result.change.low < factor - 1 < result.change.high
    assert result.candidate / result.base == pytest.approx(1 + result.change.value)
    assert (result.blocks, result.rounds) == (60, 2)
    assert bool(result.reasons) is (outcome is Outcome.INCONCLUSIVE)


def test_the_floor_of_a_cost_is_that_of_one_round_where_the_processes_stay_the_same():
    """Without noise only the floor is left: 1.645 * 4 %, over the root of four rounds or not."""
    these = counts([0.2] * 8, [0.2] * 8, rounds=4)
    fresh, same = (
        compare_cost(these, CompareSettings(looks=1, noise_floor_ratio=0.04, are_processes_fresh=is_fresh))
        for is_fresh in (True, False)
    )
    assert np.log1p(fresh.change.at_most) == pytest.approx(1.645 * 0.02, rel=0.001)
    assert np.log1p(same.change.at_most) == pytest.approx(1.645 * 0.04, rel=0.001)


def test_four_rounds_are_blocks_enough_for_a_large_difference():
    rounds = counts([60.1, 59.7, 60.4, 59.9], [90.3, 89.2, 91.0, 90.1], requests=30_000, rounds=4)
    result = compare_cost(rounds, SETTINGS)
    assert result.base == pytest.approx(0.0020, abs=1e-5)
    assert result.change.value == pytest.approx(0.5, abs=0.01)
    assert result.outcome is Outcome.REGRESSED


def test_one_round_is_not_enough_to_fail():
    result = compare_cost(cost(1.3, rounds=1), SETTINGS)
    assert result.outcome is Outcome.INCONCLUSIVE
    assert result.reasons == ("worse than the limit, but in 1 of the 2 rounds that a failure needs",)


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (compare_cost(counts([1, 2, 3, 2], [2, 1, 3, 2]), SETTINGS), r"as much as \+\d+\.\d %, the limit is \+10\.0 %"),
        (
            compare_shares(counts([0] * 4, [0] * 4), max_change=0.01, settings=SETTINGS),
            r"as much as \+\d\.\d\d points, the limit is \+1\.00 points",
        ),
        (
            compare_shares(counts([0] * 4, [0] * 4), max_change=0.01, settings=SETTINGS, is_share=False),
            r"as much as \+0\.\d+, the limit is \+0\.01",
        ),
    ],
    ids=["a cost", "a share", "a counter"],
)
def test_an_open_question_is_told_in_the_unit_of_the_limit(result, reason):
    assert result.outcome is Outcome.INCONCLUSIVE
    assert re.fullmatch(rf"the change may be {reason}", result.reasons[0])


def test_swapped_costs_have_the_other_sign():
    there, back = compare_cost(cost(1.07), SETTINGS).change, compare_cost(swapped(cost(1.07)), SETTINGS).change
    assert (1 + there.value) * (1 + back.value) == pytest.approx(1)
    assert (1 + there.low) * (1 + back.high) == pytest.approx(1)


@pytest.mark.parametrize("these", [counts([0] * 20, [1] * 20), counts([1], [1]), counts([1, 1], [1, 1], requests=0)])
def test_a_cost_that_has_no_ratio_is_inconclusive(these):
    result = compare_cost(these, SETTINGS)
    assert (result.outcome, result.change) == (Outcome.INCONCLUSIVE, None)
    assert result.reasons == ("fewer than two blocks with requests, or an arm without any cost",)


def test_the_false_alarms_of_a_cost_stay_below_their_level():
    """At the limit of 10 %, one look in twenty may say regressed; 200 of them at most 10 + 3 * 3.1."""
    one_look = CompareSettings(looks=1, fail_from_round=1)
    alarms = sum(compare_cost(cost(1.1, seed=seed), one_look).outcome is Outcome.REGRESSED for seed in range(200))
    assert alarms <= 19


@pytest.mark.parametrize(
    ("base", "candidate", "outcome"),
    [
        ([1] * 60, [1] * 60, Outcome.UNCHANGED),
        ([1] * 60, [6] * 60, Outcome.REGRESSED),
        ([6] * 60, [1] * 60, Outcome.IMPROVED),
        ([0] * 60, [0] * 60, Outcome.UNCHANGED),
        ([0] * 60, [0] * 59 + [60], Outcome.INCONCLUSIVE),
    ],
    ids=["same", "more", "fewer", "none at all", "all in one second"],
)
def test_shares_are_compared_as_a_difference(base, candidate, outcome):
    result = compare_shares(counts(base, candidate), max_change=0.01, settings=SETTINGS)
    assert result.outcome is outcome
    assert result.change.value == pytest.approx(np.mean(candidate) / 100 - np.mean(base) / 100)
    assert result.change.low < result.change.value < result.change.high


def test_no_failure_in_a_hundred_requests_proves_little():
    few = counts([0] * 10, [0] * 10, requests=10)
    assert compare_shares(few, max_change=0.01, settings=SETTINGS).outcome is Outcome.INCONCLUSIVE


def test_failures_in_clusters_are_known_less_well():
    spread, together = counts([2] * 60, [3] * 60), counts([2] * 60, [60, 0, 0, 0, 0, 60, 0, 0, 0, 60, 0, 0] * 5)
    together = counts([2] * 60, together.candidate / 5)
    of_spread, of_together = (
        compare_shares(these, max_change=0.05, settings=SETTINGS).change for these in (spread, together)
    )
    assert of_together.value == pytest.approx(of_spread.value)
    assert of_together.high - of_together.low > 1.3 * (of_spread.high - of_spread.low)


def test_swapped_shares_have_the_other_sign():
    these = counts([1, 2, 0, 3] * 15, [2, 4, 1, 2] * 15)
    there, back = (compare_shares(one, max_change=0.01, settings=SETTINGS).change for one in (these, swapped(these)))
    assert (back.value, back.low, back.at_least) == pytest.approx((-there.value, -there.high, -there.at_most))


def test_a_counter_may_grow_by_more_than_one_a_request():
    these = counts([250, 260, 240, 250] * 15, [300, 310, 290, 300] * 15)
    result = compare_shares(these, max_change=0.1, settings=SETTINGS, is_share=False)
    assert (result.base, result.candidate) == (2.5, 3.0)
    assert result.outcome is Outcome.REGRESSED
    with pytest.raises(ValueError, match="is_share=False compares counters"):
        compare_shares(these, max_change=0.1, settings=SETTINGS)


def test_a_difference_of_exactly_zero_cannot_be_asked_for():
    with pytest.raises(ValueError, match="max_change is 0, wanted a number above 0"):
        compare_shares(counts([1] * 9, [1] * 9), max_change=0, settings=SETTINGS)


def test_no_requests_are_inconclusive():
    result = compare_shares(counts([0] * 9, [0] * 9, requests=0), max_change=0.1, settings=SETTINGS)
    assert (result.outcome, result.base) == (Outcome.INCONCLUSIVE, None)
    assert result.reasons == ("fewer than two blocks with requests",)


def test_failures_of_arms_are_compared_by_the_second():
    whole = stream(1, CI, duration_s=30, rounds=2)
    failing = with_failures(whole.candidate, 0.05, seed=1)
    result = compare_shares(count_failures(whole.base, failing, whole.rounds), max_change=0.01, settings=SETTINGS)
    assert result.outcome is Outcome.REGRESSED
    assert result.candidate == pytest.approx(0.05, abs=0.01)
    assert (result.blocks, result.base) == (60, 0.0)


def test_the_false_alarms_of_a_share_stay_below_their_level():
    """Bursts of failures in both arms; at the limit at most 10 of 200, and three binomial errors of 3.1."""
    one_look, alarms, passes = CompareSettings(looks=1, fail_from_round=1), 0, 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        ratio = 0.02 * rng.gamma(2, 0.5, 60)
        outcome = compare_shares(
            counts(rng.binomial(100, ratio), rng.binomial(100, np.minimum(1, ratio + 0.01))),
            max_change=0.01,
            settings=one_look,
        ).outcome
        alarms += outcome is Outcome.REGRESSED
        passes += outcome in {Outcome.UNCHANGED, Outcome.IMPROVED}
    assert alarms <= 19
    assert passes <= 19


@pytest.mark.parametrize("wrong", [{"base": [-1.0, 0.0]}, {"base": [np.nan, 0.0]}])
def test_what_is_no_count_is_refused(wrong):
    with pytest.raises(ValueError, match="finite and 0 or more"):
        counts(wrong["base"], [1.0, 1.0])


def test_columns_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match="one shape"):
        counts([1.0, 1.0], [1.0])
