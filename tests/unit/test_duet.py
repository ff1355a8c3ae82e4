"""What the rounds of a duet are found to show, and what must not hide it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest

from tailgate.compare import compare_latency
from tailgate.compare_values import CompareSettings
from tailgate.duet import NOISE_FLOOR_RATIO, Round, compare_rounds, inject, is_decided, shared_cpu_ratio
from tailgate.model import TOTAL, Change, DuetRules, Outcome, RegressionRule, Severity, Stage
from tailgate.playing import Duet
from tailgate.samples import Outcome as Ended
from tailgate.stack.builds import Build
from tests.unit.duet_examples import (
    KEYS,
    WARMUP_S,
    compare,
    marks,
    rounds,
    rule,
    scenario,
    swap,
    with_run,
    with_samples,
)
from tests.unit.duet_streams import CI, TIMEOUT_MS, Spoil, first_rounds, slow_path, slower_by, stalls, stream

INCONCLUSIVE, UNCHANGED, IMPROVED, REGRESSED = (
    Outcome.INCONCLUSIVE,
    Outcome.UNCHANGED,
    Outcome.IMPROVED,
    Outcome.REGRESSED,
)
FAILURES = rule("failure_ratio", max_change=0.01)
CPU = rule("cpu_ms")
SOLD = rule("count", kind="counter", subject="sold", max_change=0.01)


@cache
def play(slower: float = 1.0, *, count: int = 2, seed: int = 1, rate_rps: float = 300.0) -> tuple[Round, ...]:
    """Rounds of 30 s after a warm-up of 1 s, in which the candidate is so much slower."""
    return spoilt(slower_by(slower), count=count, seed=seed, rate_rps=rate_rps)


def spoilt(spoil: Spoil, *, count: int = 2, seed: int = 1, rate_rps: float = 300.0) -> tuple[Round, ...]:
    return rounds(stream(seed, CI, duration_s=31, rounds=count, spoil=spoil, rate_rps=rate_rps))


def judging(changes: Sequence[Change]) -> tuple[Change, ...]:
    """The changes of rules, without those that are information."""
    return tuple(change for change in changes if change.severity is not Severity.INFO)


def the_change(played: Sequence[Round], asked: RegressionRule | None = None, **changes) -> Change:
    """The only change that a rule finds."""
    (only,) = judging(compare(played, *([asked] if asked else []), **changes))
    return only


def in_both_arms(played: Sequence[Round], change) -> tuple[Round, ...]:
    """The rounds, with both arms changed."""
    return tuple(Round(base=change(one.base), candidate=change(one.candidate)) for one in played)


def of_candidate(played: Sequence[Round], change) -> tuple[Round, ...]:
    return tuple(replace(one, candidate=change(one.candidate)) for one in played)


def failing(share: float, *, key: int | None = None, latency_ms: float = 1.0):
    """Make a share of an arm's requests fail at once; of one key, or of all."""

    def change(arm):
        samples = arm.run.samples
        chosen = np.random.default_rng(7).random(len(samples)) < share
        if key is not None:
            chosen &= samples.key_index == key
        return with_samples(
            arm,
            outcome=np.where(chosen, Ended.FAILURE, samples.outcome).astype(np.uint8),
            latency_ms=np.where(chosen, latency_ms, samples.latency_ms),
        )

    return change


def test_a_build_beside_itself_is_unchanged():
    for seed in range(1, 5):
        found = compare(play(seed=seed), rule(), rule("p50_ms"), FAILURES, CPU, SOLD)
        assert [change.outcome for change in judging(found)] == [UNCHANGED] * 5
        assert is_decided(found)


def test_a_slower_build_regressed_in_the_second_round_and_not_in_the_first():
    played = play(1.2)

    first, both = compare(played[:1]), compare(played)

    assert [change.outcome for change in judging(first)] == [INCONCLUSIVE]
    assert judging(first)[0].reasons == ("worse than the limit, but in 1 of the 2 rounds that a failure needs",)
    assert not is_decided(first)
    assert [change.outcome for change in judging(both)] == [REGRESSED]
    assert is_decided(both)


def test_a_change_tells_what_the_comparison_of_all_rounds_found():
    whole = stream(1, CI, duration_s=31, rounds=2, spoil=slower_by(1.2))
    windows = [replace(window, start_s=window.start_s + WARMUP_S) for window in whole.rounds]
    expected = compare_latency(
        whole.base, whole.candidate, rounds=windows, timeout_ms=TIMEOUT_MS, settings=CompareSettings()
    )

    found = the_change(play(1.2))

    assert expected.change is not None
    assert expected.pooled is not None
    assert (found.base, found.candidate) == (expected.base_ms, expected.candidate_ms)
    assert (found.change, found.low, found.high) == pytest.approx(
        (expected.change.value, expected.change.low, expected.change.high)
    )
    assert (found.pooled, found.pooled_low, found.pooled_high) == pytest.approx(
        (expected.pooled.value, expected.pooled.low, expected.pooled.high)
    )
    assert (found.standard_error, found.detectable) == pytest.approx(
        (expected.standard_error, expected.detectable_change_ratio)
    )
    assert (found.blocks, found.rounds, found.noise_floor_ratio) == (expected.blocks, 2, NOISE_FLOOR_RATIO)
    assert (found.base_samples, found.candidate_samples) == (expected.base_samples, expected.candidate_samples)
    assert (found.subject, found.window, found.is_marked) == (TOTAL, TOTAL, True)


def test_a_quicker_build_improved():
    assert the_change(play(0.8)).outcome is IMPROVED


def test_a_stall_now_and_then_is_found_by_the_guard():
    found = the_change(spoilt(stalls(length_s=0.4, every_s=5)))

    assert found.outcome is REGRESSED
    assert found.low is not None
    assert found.low < found.rule.max_change < (found.pooled_low or 0)


def test_a_slow_path_is_found_by_the_tail_alone():
    median, tail = judging(compare(spoilt(slow_path(share=0.08, extra_ms=40)), rule("p50_ms"), rule("p95_ms")))

    assert (median.outcome, tail.outcome) == (UNCHANGED, REGRESSED)


def test_swapping_the_arms_changes_the_sign_and_nothing_else():
    played = play(1.2)
    found, swapped = the_change(played), the_change(swap(played))

    assert (swapped.base, swapped.candidate) == (found.candidate, found.base)
    assert 1 + (swapped.change or 0) == pytest.approx(1 / (1 + (found.change or 0)))
    assert 1 + (swapped.low or 0) == pytest.approx(1 / (1 + (found.high or 0)))
    assert (found.outcome, swapped.outcome) == (REGRESSED, IMPROVED)


def test_the_same_rounds_give_the_same_changes():
    assert compare(play(1.1)) == compare(play(1.1))


def test_what_fails_needs_no_more_rounds_for_what_is_still_open():
    found = the_change(play())
    regressed, still_open = replace(found, outcome=REGRESSED), replace(found, outcome=INCONCLUSIVE)

    assert is_decided([regressed, still_open])
    assert not is_decided([replace(regressed, severity=Severity.WARN), still_open])


def test_failing_fast_is_not_being_fast():
    played = of_candidate(play(), failing(0.1))

    latency, failures = judging(compare(played, rule(), FAILURES))

    assert (latency.outcome, failures.outcome) == (REGRESSED, REGRESSED)
    assert latency.candidate == pytest.approx(TIMEOUT_MS)
    assert failures.change == pytest.approx(0.1, abs=0.02)


def test_a_baseline_that_fails_does_not_make_a_slower_candidate_look_quicker():
    played = swap(of_candidate(swap(play(1.2)), failing(0.08)))

    found = the_change(played)

    assert found.outcome is INCONCLUSIVE
    (reason,) = found.reasons
    assert reason == (
        "7.96 % of the baseline's requests failed, 0 % of the candidate's: a failure counts as the timeout, so the "
        "baseline may look slower than it is"
    )
    assert not is_decided([found])


def test_two_arms_that_fail_alike_are_not_called_alike():
    found = the_change(in_both_arms(play(), failing(1.0)))

    assert found.outcome is INCONCLUSIVE
    assert found.reasons[0].startswith("100 % of the baseline's requests failed, 100 % of the candidate's")


def test_a_few_failures_of_the_baseline_change_no_verdict():
    assert the_change(swap(of_candidate(swap(play()), failing(0.003)))).outcome is UNCHANGED


def test_a_request_that_is_broken_in_the_candidate_is_found_without_a_rule():
    def rare(arm):
        return with_samples(arm, key_index=(np.arange(len(arm.run.samples)) % 300 == 0).astype(np.int32))

    played = of_candidate(in_both_arms(play(), rare), failing(1.0, key=1))

    latency, broken = judging(compare(played))

    assert latency.outcome is UNCHANGED
    assert (broken.subject, broken.rule.metric, broken.outcome) == ("POST Buy", "failure_ratio", REGRESSED)
    assert (broken.base, broken.candidate) == (0.0, 1.0)
    assert not is_decided(compare(played[:1]))


def test_a_broken_request_that_a_rule_names_is_told_once():
    asked = rule("failure_ratio", kind="request", subject="Buy", max_change=0.01)

    found = judging(compare(of_candidate(play(), failing(1.0, key=1)), asked))

    assert [(change.subject, change.rule, change.outcome) for change in found] == [("POST Buy", asked, REGRESSED)]


def test_a_rule_that_only_informs_lets_no_broken_request_pass_and_is_not_told_beside_it():
    asked = rule("failure_ratio", kind="request", subject="*", max_change=0.01, severity=Severity.INFO)

    found = compare(of_candidate(play(), failing(1.0, key=1)), rule(), asked)

    of_failures = [change for change in found if change.rule.metric == "failure_ratio"]
    assert [(change.subject, change.severity, change.outcome) for change in of_failures] == [
        ("GET Home", Severity.INFO, UNCHANGED),
        ("POST Buy", Severity.FAIL, REGRESSED),
    ]
    assert of_failures[1].rule.max_change == 0.5


def test_a_rule_that_warns_judges_a_broken_request():
    asked = rule("failure_ratio", kind="request", subject="Buy", max_change=0.01, severity=Severity.WARN)

    found = judging(compare(of_candidate(play(), failing(1.0, key=1)), asked))

    assert [(change.rule, change.severity) for change in found] == [(asked, Severity.WARN)]


def test_a_request_that_is_broken_in_another_stage_than_its_rule_is_about_is_found():
    def in_two_stages(arm):
        stages = (Stage(name="calm", duration_s=3.0), Stage(name="rush", duration_s=28.0))
        return with_run(arm, stages=stages, users_reached=(0, 0))

    def broken_in_rush(arm):
        is_hit = (arm.run.samples.start_s >= 3) & (arm.run.samples.key_index == 1)
        return with_samples(arm, outcome=np.where(is_hit, Ended.FAILURE, Ended.SUCCESS).astype(np.uint8))

    asked = rule("failure_ratio", kind="request", subject="Buy", stage="calm", max_change=0.01)

    in_calm, over_all = judging(compare(of_candidate(in_both_arms(play(), in_two_stages), broken_in_rush), asked))

    assert (in_calm.window, in_calm.candidate) == ("calm", 0.0)
    assert (over_all.subject, over_all.window, over_all.outcome) == ("POST Buy", TOTAL, REGRESSED)


def test_a_pattern_makes_a_change_for_each_request():
    found = judging(
        compare(play(), rule(kind="request", subject="*"), rule("failure_ratio", kind="request", subject="Home"))
    )

    assert [(change.subject, change.rule.metric) for change in found] == [
        ("GET Home", "p95_ms"),
        ("POST Buy", "p95_ms"),
        ("GET Home", "failure_ratio"),
    ]
    assert all(change.base_samples < 12_500 for change in found)


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (rule(kind="request", subject="Sell"), "no request of that name; seen: GET Home, POST Buy"),
        (rule(stage="hold"), "the shape has no stage 'hold'; its stages: arrivals"),
        (
            rule("count", kind="counter", subject="lost", max_change=1),
            "it was never counted in either arm; there are these counters: sold",
        ),
    ],
)
def test_what_was_never_there_is_inconclusive_with_the_reason(asked: RegressionRule, reason: str):
    found = the_change(play(), asked)

    assert (found.outcome, found.base, found.candidate, found.change) == (INCONCLUSIVE, None, None, None)
    assert (found.subject, found.window) == (asked.subject, asked.stage or TOTAL)
    assert found.reasons == (reason,)


def test_a_name_of_two_requests_is_ambiguous():
    played = in_both_arms(play(), lambda arm: with_samples(arm, keys=("GET Home", "POST Home")))

    assert the_change(played, rule(kind="request", subject="Home")).reasons == (
        "the name is ambiguous, write one of: GET Home, POST Home",
    )


def test_a_rule_of_a_stage_looks_at_that_stage_alone():
    def staged(arm):
        stages = tuple(Stage(name=name, duration_s=15.5, arrival_rate_rps=300.0) for name in ("calm", "rush"))
        return with_run(arm, stages=stages, users_reached=(0, 0))

    def slow_rush(arm):
        samples = arm.run.samples
        return with_samples(arm, latency_ms=samples.latency_ms * np.where(samples.start_s >= 15.5, 1.3, 1.0))

    played = of_candidate(in_both_arms(play(count=4), staged), slow_rush)

    found = judging(compare(played, rule(stage="*"), rule("cpu_ms", stage="calm")))

    assert [(change.window, change.rule.metric, change.outcome) for change in found] == [
        ("calm", "p95_ms", UNCHANGED),
        ("rush", "p95_ms", REGRESSED),
        ("calm", "cpu_ms", UNCHANGED),
    ]
    calm, rush, cost = found
    assert (calm.base_samples + rush.base_samples) == pytest.approx(4 * 30 * 300, rel=0.02)
    assert cost.blocks == 4 * 6  # looks at 2, 4 … 14 s: the warm-up ends after 1 s, the stage after 15.5 s


def test_a_stage_that_no_round_came_to_is_inconclusive():
    def short(arm):
        stages = (Stage(name="calm", duration_s=31.0), Stage(name="rush", duration_s=10.0))
        return with_run(arm, stages=stages, duration_s=31.0, users_reached=(0,))

    found = the_change(in_both_arms(play(), short), rule(stage="rush"))

    assert (found.outcome, found.window, found.reasons) == (INCONCLUSIVE, "rush", ("no round came to this stage",))


def test_processor_time_is_compared_from_look_to_look():
    played = of_candidate(play(), lambda arm: replace(arm, marks=marks(31.0, cpu_per_s=0.36)))

    found = the_change(played, CPU)

    assert found.outcome is REGRESSED
    assert (found.base, found.candidate) == pytest.approx((1.0, 1.2), rel=0.03)
    assert found.change == pytest.approx(0.2, abs=0.03)
    assert (found.blocks, found.rounds) == (2 * 15, 2)  # looks at 2, 4 … 30 and 31 s
    assert found.detectable is not None
    assert 0.10 < found.detectable < 0.20


def test_a_few_looks_at_processor_time_may_be_alike_by_chance():
    def seldom(arm):
        return replace(arm, marks=arm.marks[::8])

    found = the_change(in_both_arms(play(), seldom), CPU)

    assert (found.outcome, found.blocks) == (INCONCLUSIVE, 2)
    assert found.reasons[-1] == "processor time was read over 2 blocks, 10 needed"


def test_processor_time_that_cannot_be_read_never_will_be():
    played = of_candidate(play(), lambda arm: replace(arm, marks=marks(31.0, cpu_per_s=None)))

    changes = compare(played, CPU)

    assert judging(changes)[0].reasons == ("the processor time of the candidate's services cannot be read",)
    assert judging(changes)[0].outcome is INCONCLUSIVE
    assert is_decided(changes)


def test_processor_time_of_services_that_were_started_anew_is_worth_nothing():
    def restarted(arm):
        halves = marks(31.0)
        return replace(arm, marks=(*halves[:8], *(replace(mark, cpu_s=0.1) for mark in halves[8:])))

    assert the_change(of_candidate(play(), restarted), CPU).reasons == (
        "the processor time of the services fell: one of them was started anew",
    )


def test_a_counter_is_compared_for_each_request():
    played = of_candidate(play(), lambda arm: replace(arm, marks=marks(31.0, sold_per_s=20.0)))

    found = the_change(played, SOLD)

    assert found.outcome is REGRESSED
    assert (found.base, found.candidate) == pytest.approx((10 / 300, 20 / 300), rel=0.03)
    assert found.change == pytest.approx(10 / 300, rel=0.1)


def test_a_counter_that_only_one_arm_knows_counts_as_none_in_the_other():
    def without(arm):
        return replace(arm, marks=tuple(replace(mark, counters={}) for mark in arm.marks))

    found = the_change(swap(of_candidate(swap(play()), without)), SOLD)

    assert (found.outcome, found.base) == (REGRESSED, 0.0)


def test_a_counter_that_falls_cannot_be_compared():
    def falling(arm):
        return replace(arm, marks=tuple(replace(mark, counters={"sold": -mark.at_s}) for mark in arm.marks))

    assert the_change(in_both_arms(play(), falling), SOLD).reasons == (
        "the counter fell, and only what grows can be compared",
    )


def test_shared_cores_that_are_too_busy_hide_what_is_slow():
    found = the_change(play(), are_cores_shared=True)

    assert found.outcome is INCONCLUSIVE
    (reason,) = found.reasons
    assert reason == (
        "the cores, which both arms share, were 83 % busy, allowed are 60 % (max_shared_cpu_ratio): there a slow "
        "candidate slows the baseline too; lower the rate"
    )


def test_busy_cores_do_not_hide_what_is_proven_to_be_slower_or_quicker_nor_what_processors_do():
    for ratio, outcome in ((1.2, REGRESSED), (0.8, IMPROVED)):
        assert the_change(play(ratio), are_cores_shared=True).outcome is outcome
    assert the_change(play(), CPU, are_cores_shared=True).outcome is UNCHANGED


def test_cores_that_are_not_shared_or_less_busy_than_allowed_hide_nothing():
    assert the_change(play(), are_cores_shared=False).outcome is UNCHANGED
    assert the_change(play(), are_cores_shared=True, duet=DuetRules(max_shared_cpu_ratio=0.9)).outcome is UNCHANGED


def test_how_busy_the_cores_were_is_the_mean_of_the_rounds():
    def busy(ratio: float | None):
        return lambda arm: with_run(arm, generator=replace(arm.run.generator, host_cpu_ratio=ratio))

    first, second = play()
    known = (*in_both_arms([first], busy(0.2)), *in_both_arms([second], busy(0.6)))

    assert shared_cpu_ratio(known) == pytest.approx(0.4)
    assert shared_cpu_ratio(in_both_arms([first], busy(None))) is None


@pytest.mark.parametrize(
    ("own", "of_duet", "learned", "used"),
    [
        (0.04, 0.03, 0.02, 0.04),
        (None, 0.03, 0.02, 0.03),
        (None, None, 0.02, 0.02),
        (None, None, None, 0.01),
        (0.0, 0.03, 0.02, 0.0),
    ],
)
def test_the_noise_floor_is_the_rules_else_the_duets_else_what_was_learned(own, of_duet, learned, used):
    found = the_change(
        play(),
        rule(noise_floor_ratio=own),
        duet=DuetRules(noise_floor_ratio=of_duet),
        noise_floor_ratio=learned,
    )

    assert found.noise_floor_ratio == used


def test_the_floor_of_processes_that_stay_the_same_is_not_reduced_by_rounds():
    fresh, same = (
        compare(play(count=4), rule(), CPU, noise_floor_ratio=0.05, are_processes_fresh=is_fresh)
        for is_fresh in (True, False)
    )

    assert [late.high - early.high > 0.03 for early, late in zip(fresh, same, strict=True)] == [True] * 4
    assert fresh[0].noise_floor_ratio == same[0].noise_floor_ratio == 0.05


@pytest.mark.parametrize("url", [None, "http://127.0.0.1:1"])
def test_processes_behind_urls_are_known_to_stay_the_same(url: str | None):
    duet = Duet(
        builds=(Build(name="baseline", label="old", url=url), Build(name="candidate", label="new", url=url)),
        start=None,
        scenario=scenario(),
        plan=SimpleNamespace(request_timeout_s=TIMEOUT_MS / 1000),
        noise_floor_ratio=0.05,
        injected_ratio=0.0,
        are_processes_ours=url is None,
    )
    for one in play():
        duet.add(one)

    assert duet.changes[0].high == the_change(play(), noise_floor_ratio=0.05, are_processes_fresh=url is None).high


def test_each_rule_keeps_its_own_error_however_many_there_are():
    alone = the_change(play(1.1))

    assert judging(compare(play(1.1), rule(), rule("p50_ms"), FAILURES))[0] == alone
    assert the_change(play(1.1), rule(alpha=0.2)).high < alone.high


def test_more_looks_mean_that_each_errs_less():
    one, three = (the_change(play(), duet=DuetRules(looks=looks)) for looks in ((2,), (1, 2, 4)))

    assert one.high < three.high


def test_requests_that_no_rule_names_are_information_and_marked_with_care():
    changed = {"GET Home": 1.0, "POST Buy": 1.3}

    def slow_buy(arm):
        samples = arm.run.samples
        factors = np.array([changed[key] for key in KEYS])[samples.key_index]
        return with_samples(arm, latency_ms=samples.latency_ms * factors)

    found = compare(of_candidate(play(), slow_buy))[1:]

    assert [(change.subject, change.is_marked, change.outcome) for change in found] == [
        ("GET Home", False, INCONCLUSIVE),
        ("POST Buy", True, REGRESSED),
    ]
    assert all(change.severity is Severity.INFO and change.rule.metric == "p95_ms" for change in found)
    assert all(change.rounds == 2 and change.base_samples > 5_000 for change in found)


def test_a_request_whose_percentile_a_rule_compares_is_no_information_as_well():
    asked = [
        rule("p99_ms", kind="request", subject="Home"),
        rule("failure_ratio", kind="request", subject="Buy"),
        rule("p95_ms", kind="request", subject="Buy", stage="arrivals"),
    ]

    assert [change.subject for change in compare(play(), *asked)[3:]] == ["POST Buy"]


def test_many_equal_names_are_hardly_ever_marked():
    many = tuple(f"GET {letter}" for letter in "ABCDEFGHIJ")

    def named(arm):
        return with_samples(arm, keys=many, key_index=(np.arange(len(arm.run.samples)) % 10).astype(np.int32))

    marked = 0
    for seed in range(1, 6):
        played = in_both_arms(play(seed=seed, count=4), named)
        marked += sum(change.is_marked for change in compare(played) if change.severity is Severity.INFO)
    assert marked == 0


def test_a_rare_name_says_how_many_samples_it_lacks():
    def rare(arm):
        return with_samples(arm, key_index=(np.arange(len(arm.run.samples)) % 500 == 0).astype(np.int32))

    _, _, found = compare(in_both_arms(play(), rare))

    assert (found.subject, found.outcome, found.change) == ("POST Buy", INCONCLUSIVE, None)
    assert "1,000 needed" in found.reasons[0]


def test_rules_that_only_inform_are_not_waited_for():
    slow = compare(play(1.2)[:1], rule(severity=Severity.INFO))

    assert slow[0].outcome is INCONCLUSIVE
    assert is_decided(slow)


def test_an_injected_slowdown_is_exact():
    (before, _), (after, _) = play(), [inject(one, 0.1) for one in play()]

    np.testing.assert_array_equal(after.candidate.run.samples.latency_ms, before.candidate.run.samples.latency_ms * 1.1)
    assert after.base is before.base
    assert after.candidate.marks == before.candidate.marks
    assert the_change([inject(one, 0.2) for one in play()]).change == pytest.approx(
        1.2 * (1 + (the_change(play()).change or 0)) - 1
    )


def test_a_latency_of_nothing_does_not_end_the_duet():
    played = of_candidate(play(), lambda arm: with_samples(arm, latency_ms=np.zeros(len(arm.run.samples))))

    assert the_change(played).outcome is IMPROVED


def test_the_warm_up_of_each_round_is_left_out():
    def slow_start(arm):
        samples = arm.run.samples
        return with_samples(arm, latency_ms=np.where(samples.start_s < WARMUP_S, 5_000.0, samples.latency_ms))

    assert the_change(of_candidate(play(), slow_start)) == the_change(play())


def test_rounds_of_unlike_length_are_compared_where_both_were_loaded():
    short, whole = first_rounds(stream(1, CI, duration_s=31, rounds=1), 1), play()
    cut = Round(base=with_run(whole[1].base, duration_s=20.0), candidate=with_run(whole[1].candidate, duration_s=25.0))

    found = the_change((rounds(short)[0], cut))

    assert found.blocks == 30 + 19


def test_nothing_is_judged_in_rounds_without_requests():
    empty = in_both_arms(play(), lambda arm: with_run(arm, samples=arm.run.samples.select(arm.run.samples.start_s < 0)))

    latency, failures, cost = judging(compare(empty, rule(), FAILURES, CPU))

    assert {change.outcome for change in (latency, failures, cost)} == {INCONCLUSIVE}
    assert latency.reasons == (
        "0 usable blocks of 1 s, 10 needed",
        "0 samples of an arm in usable blocks, 1,000 needed",
    )


def test_the_learned_floor_may_be_missing():
    found = compare_rounds(play(), scenario(), timeout_ms=TIMEOUT_MS, are_cores_shared=False, noise_floor_ratio=None)

    assert found[0].outcome is UNCHANGED
