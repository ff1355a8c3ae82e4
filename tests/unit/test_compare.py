"""The verdict on a candidate, and what it rests on."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from tailgate.compare import (
    Arm,
    CompareSettings,
    Outcome,
    ProcessPair,
    adjust,
    compare_latency,
    compare_names,
    learn_noise_floor,
)
from tailgate.compare_values import Estimate
from tests.unit import duet_streams as duets
from tests.unit.duet_streams import CI, QUIET, TIMEOUT_MS, judge, slower_by, stream, with_failures

ONE_LOOK = CompareSettings(looks=1, fail_from_round=1)
NOTHING = Arm(scheduled_s=np.empty(0), latency_ms=np.empty(0), is_failure=np.empty(0, dtype=bool))


def duet(percent=0.0, *, seed=1, noise=QUIET, rounds=2, duration_s=30.0, **kwargs):
    return stream(seed, noise, duration_s=duration_s, rounds=rounds, spoil=slower_by(1 + percent / 100), **kwargs)


def ends(estimate):
    return [estimate.value, estimate.low, estimate.high, estimate.at_least, estimate.at_most]


def logs(estimate):
    return [math.log1p(end) for end in ends(estimate)]


def in_milliseconds(arm, factor):
    return replace(arm, latency_ms=arm.latency_ms * factor)


@pytest.mark.parametrize(
    ("percent", "outcome"),
    [(0, Outcome.UNCHANGED), (3, Outcome.UNCHANGED), (30, Outcome.REGRESSED), (-20, Outcome.IMPROVED)],
)
def test_a_clear_change_has_a_clear_outcome(percent, outcome):
    result = judge(duet(percent), CompareSettings())
    assert result.outcome is outcome
    assert result.reasons == ()
    assert result.change.low < percent / 100 < result.change.high
    assert result.pooled.low < percent / 100 < result.pooled.high


def test_a_result_says_what_it_rests_on():
    result = judge(duet(30), CompareSettings())
    assert (result.blocks, result.dropped_blocks, result.block_s, result.rounds) == (60, 0, 1.0, 2)
    assert 17_000 < result.base_samples < 19_000
    assert result.candidate_ms / result.base_ms == pytest.approx(1 + result.pooled.value, rel=0.01)
    assert result.noise_floor_ratio == pytest.approx(0.01 / math.sqrt(2))
    assert result.detectable_change_ratio > 0.10
    assert result.is_slower
    assert not result.is_faster


def test_a_result_reads_as_one_sentence():
    estimate = Estimate(value=0.174, low=0.121, high=0.23, at_least=0.13, at_most=0.22)
    result = replace(judge(duet(30), CompareSettings()), base_ms=51.24, candidate_ms=60.1, change=estimate)
    result = replace(result, base_samples=17_912, candidate_samples=18_003)
    assert str(result) == (
        "p95 regressed, 51.2 ms -> 60.1 ms: +17.4 % (+12.1 % to +23.0 %), limit +10.0 % "
        "(60 blocks of 1 s in 2 rounds, 17,912 and 18,003 samples)"
    )


def test_rounds_of_the_same_two_processes_do_not_tell_how_much_processes_differ():
    """The candidate's process is 3 % slower than another of its build, in all four rounds."""
    known = CompareSettings(noise_floor_ratio=0.03)
    fresh, same = (judge(duet(3, rounds=4), replace(known, are_processes_fresh=is_fresh)) for is_fresh in (True, False))
    assert (fresh.noise_floor_ratio, same.noise_floor_ratio) == (0.015, 0.03)
    assert (fresh.is_slower, same.is_slower) == (False, False)
    assert judge(duet(4, rounds=4), known).is_slower
    assert not judge(duet(4, rounds=4), replace(known, are_processes_fresh=False)).is_slower


def test_one_round_cannot_fail_but_says_why():
    result = judge(duet(30, rounds=1), CompareSettings())
    assert result.outcome is Outcome.INCONCLUSIVE
    assert result.reasons == ("worse than the limit, but in 1 of the 2 rounds that a failure needs",)
    assert judge(duet(30, rounds=1), CompareSettings(fail_from_round=1)).outcome is Outcome.REGRESSED


def test_one_round_can_pass():
    assert judge(duet(rounds=1), CompareSettings()).outcome is Outcome.UNCHANGED


def test_a_change_close_to_the_limit_is_inconclusive():
    result = judge(duet(10), CompareSettings())
    assert result.outcome is Outcome.INCONCLUSIVE
    assert len(result.reasons) == 1
    assert result.reasons[0].startswith("the change may be as much as +")
    assert result.reasons[0].endswith("%, the limit is +10.0 %")


def test_slow_seconds_that_the_typical_block_does_not_show_are_not_unchanged():
    """Three seconds of sixty, in which everything takes five times as long."""
    seconds = (10, 25, 40)
    whole = duet(rounds=1, duration_s=60)
    is_hit = np.isin(whole.candidate.scheduled_s.astype(int), seconds)
    slow = replace(whole.candidate, latency_ms=np.where(is_hit, 5, 1) * whole.candidate.latency_ms)
    result = judge(replace(whole, candidate=slow), ONE_LOOK)
    assert result.change.at_most < 0.10
    assert result.outcome is Outcome.INCONCLUSIVE
    assert result.reasons[0].startswith("over all requests it may be as much as +")
    assert result.reasons[0].endswith("%, wanted at most +30.0 %")


@pytest.mark.parametrize("seed", range(5))
def test_the_same_input_gives_the_same_verdict_in_any_order(seed):
    whole = duet(8, seed=seed, noise=CI)
    order = np.random.default_rng(seed).permutation(len(whole.candidate.scheduled_s))
    shuffled = Arm(
        scheduled_s=whole.candidate.scheduled_s[order],
        latency_ms=whole.candidate.latency_ms[order],
        is_failure=whole.candidate.is_failure[order],
    )
    first = judge(whole, CompareSettings())
    assert judge(whole, CompareSettings()) == first
    assert judge(replace(whole, candidate=shuffled), CompareSettings()) == first


@pytest.mark.parametrize("seed", range(5))
def test_swapping_the_arms_flips_the_sign_only(seed):
    whole = duet(5, seed=seed, noise=CI)
    there = judge(whole, CompareSettings())
    back = judge(replace(whole, base=whole.candidate, candidate=whole.base), CompareSettings())
    for one, other in ((there.change, back.change), (there.pooled, back.pooled)):
        value, low, high, at_least, at_most = logs(one)
        assert logs(other) == pytest.approx([-value, -high, -low, -at_most, -at_least], abs=1e-5)
    assert (back.is_slower, back.is_faster) == (there.is_faster, there.is_slower)
    assert (back.base_ms, back.candidate_ms, back.blocks) == (there.candidate_ms, there.base_ms, there.blocks)
    assert back.rho == pytest.approx(there.rho)


@pytest.mark.parametrize("factor", [0.001, 1000])
def test_the_unit_changes_nothing(factor):
    whole = duet(8, noise=CI)
    whole = replace(whole, candidate=with_failures(whole.candidate, 0.01, seed=1))
    here = judge(whole, CompareSettings())
    there = compare_latency(
        in_milliseconds(whole.base, factor),
        in_milliseconds(whole.candidate, factor),
        rounds=whole.rounds,
        timeout_ms=TIMEOUT_MS * factor,
        settings=CompareSettings(),
    )
    assert there.outcome is here.outcome
    assert ends(there.change) == pytest.approx(ends(here.change), abs=1e-9)
    assert ends(there.pooled) == pytest.approx(ends(here.pooled), abs=1e-4)
    assert there.base_ms == pytest.approx(here.base_ms * factor)


@pytest.mark.parametrize("percent", [0, 50])
@pytest.mark.parametrize("seed", range(10))
def test_five_seconds_are_never_enough(percent, seed):
    result = judge(duet(percent, seed=seed, noise=CI, duration_s=5, rounds=1, rate_rps=100), ONE_LOOK)
    assert result.outcome is Outcome.INCONCLUSIVE
    assert result.reasons[0] == "5 usable blocks of 1 s, 10 needed"
    assert result.reasons[1].endswith("samples of an arm in usable blocks, 1,000 needed")
    assert result.detectable_change_ratio is None


@pytest.mark.parametrize("seed", range(5))
def test_failing_fast_is_a_regression(seed):
    whole = duet(seed=seed, noise=CI)
    failing = with_failures(whole.candidate, 0.1, seed)
    assert judge(replace(whole, candidate=failing), CompareSettings()).outcome is Outcome.REGRESSED


def test_to_stop_failing_is_an_improvement():
    whole = duet(noise=CI)
    assert judge(replace(whole, base=with_failures(whole.base, 0.1, 1)), CompareSettings()).outcome is Outcome.IMPROVED


def test_failures_that_both_arms_have_hide_nothing_and_prove_nothing():
    whole = duet(noise=CI)
    both = replace(whole, base=with_failures(whole.base, 0.1, 1), candidate=with_failures(whole.candidate, 0.1, 2))
    assert judge(both, CompareSettings()).outcome is Outcome.UNCHANGED


def test_requests_outside_of_the_rounds_are_not_looked_at():
    whole = duet()
    extra = np.array([-5.0, 35.0, 1e6])
    noisy = Arm(
        scheduled_s=np.append(whole.candidate.scheduled_s, extra),
        latency_ms=np.append(whole.candidate.latency_ms, [9e3] * 3),
        is_failure=np.append(whole.candidate.is_failure, [True] * 3),
    )
    assert judge(replace(whole, candidate=noisy), CompareSettings()) == judge(whole, CompareSettings())


@pytest.mark.parametrize("side", ["base", "candidate"])
def test_an_arm_without_requests_is_inconclusive(side):
    result = judge(replace(duet(), **{side: NOTHING}), CompareSettings())
    assert result.outcome is Outcome.INCONCLUSIVE
    assert (result.change, result.base_ms, result.blocks) == (None, None, 0)
    assert result.reasons == (
        "0 usable blocks of 1 s, 10 needed",
        "0 samples of an arm in usable blocks, 1,000 needed",
    )
    assert str(result) == f"p95 inconclusive: {'; '.join(result.reasons)}"


def test_a_rare_quantile_needs_longer_blocks():
    result = judge(duet(rounds=1), CompareSettings(q=Fraction(99, 100), max_change_ratio=0.2))
    assert result.block_s == 1.0
    assert result.base_ms > 70
    rare = judge(duet(rounds=1), CompareSettings(q=Fraction(999, 1000)))
    assert rare.outcome is Outcome.INCONCLUSIVE
    assert rare.block_s == 7.0


def test_more_rounds_and_fewer_looks_know_more():
    def width(result):
        return result.change.high - result.change.low

    short, long = judge(duet(rounds=1), CompareSettings()), judge(duet(rounds=4), CompareSettings())
    assert width(long) < width(short)
    assert width(judge(duet(rounds=1), CompareSettings(looks=1))) < width(short)
    assert long.detectable_change_ratio < short.detectable_change_ratio


def test_identical_arms_are_unchanged_and_as_certain_as_the_floor():
    whole = duet(rounds=1)
    result = judge(replace(whole, candidate=whole.base), replace(ONE_LOOK, noise_floor_ratio=0.02))
    assert result.outcome is Outcome.UNCHANGED
    assert result.change.value == 0.0
    assert math.log1p(result.change.at_most) == pytest.approx(0.02 * 1.644854, abs=1e-6)


@pytest.mark.parametrize(
    "wrong",
    [
        {"q": Fraction(1)},
        {"max_change_ratio": 0.0},
        {"alpha": 0.5},
        {"looks": 0},
        {"fail_from_round": 0},
        {"noise_floor_ratio": -0.1},
        {"min_blocks": 9},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_settings_that_nothing_could_be_judged_by_are_refused(wrong):
    with pytest.raises(ValueError, match=f"cannot be judged with {next(iter(wrong))}="):
        CompareSettings(**wrong)


def split(arm, is_first):
    return {
        name: Arm(
            scheduled_s=arm.scheduled_s[chosen],
            latency_ms=arm.latency_ms[chosen],
            is_failure=arm.is_failure[chosen],
        )
        for name, chosen in (("GET first", is_first), ("GET second", ~is_first))
    }


def test_the_name_that_became_slower_is_found():
    whole = duet(rounds=2)
    rng = np.random.default_rng(0)
    base = split(whole.base, rng.random(len(whole.base.scheduled_s)) < 0.5)
    candidate = split(whole.candidate, rng.random(len(whole.candidate.scheduled_s)) < 0.5)
    candidate["GET second"] = in_milliseconds(candidate["GET second"], 1.2)
    candidate["POST new"] = NOTHING
    first, second, new = compare_names(
        base, candidate, rounds=whole.rounds, timeout_ms=TIMEOUT_MS, settings=CompareSettings()
    )
    assert (first.name, first.is_changed) == ("GET first", False)
    assert (second.name, second.is_changed, second.note) == ("GET second", True, "")
    assert second.change.value == pytest.approx(0.2, abs=0.06)
    assert second.p_value <= second.adjusted_p_value <= 2 * second.p_value
    assert (new.name, new.change, new.p_value, new.is_changed) == ("POST new", None, None, False)
    assert new.note.endswith("0 samples of an arm in usable blocks, 1,000 needed")


def test_p_values_are_adjusted_as_benjamini_and_hochberg_do():
    """Their 0.01, 0.04, 0.03 of three: 3 * 0.01, and 0.04 for both others, because 3 / 2 * 0.03 is more."""
    assert adjust([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.04, 0.04])
    assert adjust([0.9]) == [0.9]
    assert adjust([]) == []


def canaries(changes, standard_error, rounds=1):
    return [
        ProcessPair(change_ratio=math.expm1(change), standard_error=standard_error, rounds=rounds) for change in changes
    ]


def test_the_floor_is_what_the_error_within_runs_does_not_explain():
    """sqrt(0.05^2 - 0.03^2) = 0.04, and twice that for one of four rounds."""
    assert learn_noise_floor(canaries([0.05, -0.05] * 4, 0.03)) == pytest.approx(0.04)
    assert learn_noise_floor(canaries([0.05, -0.05] * 4, 0.03, rounds=4)) == pytest.approx(0.08)


def test_duets_that_ended_early_do_not_hide_the_floor():
    """Rounds count, not duets: sqrt((6 * 0.01^2 + 2 * 16 * (0.05^2 - 0.01^2)) / 14) in place of a mean over eight."""
    early, late = canaries([0.01, -0.01] * 3, 0.0), canaries([0.05, -0.05], 0.01, rounds=4)
    assert learn_noise_floor([*early, *late]) == pytest.approx(math.sqrt((0.0006 + 32 * 0.0024) / 14))


def test_a_floor_is_learned_as_it_is_from_duets_that_end_when_they_are_decided():
    """Rounds differ by 2 %, and are known to 3 %; a duet ends when its mean, or that of two rounds, is below 4 %."""
    rng = np.random.default_rng(1)
    pairs = []
    for showed in 0.02 * rng.standard_normal((4000, 4)) + 0.03 * rng.standard_normal((4000, 4)):
        count = next((count for count in (1, 2) if showed[:count].mean() < 0.04), 4)
        pairs += canaries([float(showed[:count].mean())], 0.03 / math.sqrt(count), rounds=count)
    assert learn_noise_floor(pairs) == pytest.approx(0.02, rel=0.1)


def test_the_floor_is_never_below_half_a_percent():
    assert learn_noise_floor(canaries([0.01, -0.01] * 4, 0.03)) == 0.005


def test_seven_runs_teach_no_floor():
    with pytest.raises(ValueError, match="needs 8 duets with an estimate, there are 7"):
        learn_noise_floor(canaries([0.05] * 7, 0.03))


def test_the_floor_of_processes_that_differ_is_learned():
    """Two processes of 3 % each differ by 4.2 %; of twenty runs the estimate has an error of about a sixth."""
    noise = QUIET.with_process_sd(0.03)
    results = [judge(duet(seed=seed, noise=noise, rounds=1, duration_s=15), CompareSettings()) for seed in range(20)]
    pairs = [ProcessPair(result.change.value, result.standard_error, result.rounds) for result in results]
    assert learn_noise_floor(pairs) == pytest.approx(0.03 * math.sqrt(2), rel=0.5)


def test_a_duet_ends_with_the_first_look_that_decides():
    assert duets.judge_as_it_grows(duet(rounds=4), CompareSettings()).rounds == 1
    assert duets.judge_as_it_grows(duet(40, rounds=4), CompareSettings()).rounds == 2
