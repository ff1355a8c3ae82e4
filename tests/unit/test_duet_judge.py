"""What a duet is worth as a whole, and what that means for its test."""

from __future__ import annotations

from functools import cache

import pytest

from tailgate.duet import Round, compare_rounds, judge_duet, raise_for_duet
from tailgate.errors import InconclusiveComparison, InvalidRun, Regression
from tailgate.model import Change, Judged, Outcome, RegressionRule, Severity, Threshold, Verdict
from tailgate.run import RunFacts
from tests.unit.duet_examples import FACTS, compare, rounds, rule, scenario, with_run
from tests.unit.duet_streams import CI, TIMEOUT_MS, slower_by, stream

UNCHANGED, REGRESSED, INCONCLUSIVE = Outcome.UNCHANGED, Outcome.REGRESSED, Outcome.INCONCLUSIVE


@cache
def play(slower: float = 1.0) -> tuple[Round, ...]:
    return rounds(stream(1, CI, duration_s=31, rounds=2, spoil=slower_by(slower)))


def change(outcome: Outcome, severity: Severity = Severity.FAIL, *, size: float = 0.2, **changes) -> Change:
    """A change with that outcome, in literals."""
    fields = {
        "rule": rule(severity=severity),
        "subject": "total",
        "window": "total",
        "outcome": outcome,
        "base": 20.0,
        "candidate": 20.0 * (1 + size),
        "change": size,
        "low": size - 0.05,
        "high": size + 0.05,
        "rounds": 2,
        "base_samples": 12_040,
        "candidate_samples": 11_980,
        "severity": severity,
    }
    return Change(**{**fields, **changes})


def judge(*changes: Change, played: tuple[Round, ...] | None = None, **settings) -> Judged:
    return judge_duet(played or play(), scenario(), facts=FACTS, changes=changes, **settings)


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        ([(UNCHANGED, Severity.FAIL)], Verdict.PASS),
        ([(Outcome.IMPROVED, Severity.FAIL)], Verdict.PASS),
        ([(UNCHANGED, Severity.FAIL), (REGRESSED, Severity.INFO), (INCONCLUSIVE, Severity.INFO)], Verdict.PASS),
        ([(REGRESSED, Severity.WARN)], Verdict.WARN),
        ([(INCONCLUSIVE, Severity.WARN)], Verdict.WARN),
        ([(UNCHANGED, Severity.FAIL), (INCONCLUSIVE, Severity.FAIL)], Verdict.WARN),
        ([(INCONCLUSIVE, Severity.FAIL), (REGRESSED, Severity.FAIL)], Verdict.FAIL),
    ],
)
def test_the_worst_finding_decides(found, verdict):
    assert judge(*(change(*one) for one in found)).verdict is verdict


def test_rules_that_only_inform_pass_what_they_compared_and_never_nothing():
    asked = scenario(rule(severity=Severity.INFO))
    seen = change(REGRESSED, Severity.INFO)
    nothing = change(INCONCLUSIVE, Severity.INFO, change=None, low=None, high=None)
    unasked = change(INCONCLUSIVE, Severity.INFO, rule=rule(severity=Severity.INFO, source=""))

    for found, verdict in (([seen, nothing], Verdict.PASS), ([nothing, unasked], Verdict.WARN)):
        judged = judge_duet(play(), asked, facts=FACTS, changes=found, notes=["pinned"])
        assert (judged.verdict, judged.reasons) == (verdict, ())
        assert judged.notes == (
            "every rule has the severity info: only a request that is broken in the candidate would fail this duet",
            "pinned",
        )
        raise_for_duet(judged, is_strict=True)


def test_a_duet_that_cannot_tell_is_invalid_whatever_it_found():
    broken = with_run(play()[1].base, facts=RunFacts(stack_deaths=("service 'product' ended",)))
    played = (play()[0], Round(base=broken, candidate=play()[1].candidate))

    judged = judge(change(REGRESSED), played=played)

    assert judged.verdict is Verdict.INVALID
    assert judged.reasons == ("baseline, round 2: service 'product' ended",)
    with pytest.raises(InvalidRun, match=r"baseline, round 2: service 'product' ended"):
        raise_for_duet(judged, is_strict=False)


def test_the_figures_are_the_candidates_of_all_rounds():
    judged = judge(change(UNCHANGED), played=play(1.2), fingerprint={"cpu_count": 2}, notes=["pinned"])

    windows = [one.candidate.run.samples.within(one.candidate.run.window) for one in play(1.2)]
    assert judged.total.samples == sum(len(window) for window in windows)
    assert sum(summary.samples for summary in judged.requests.values()) == judged.total.samples
    assert judged.duration_s == 60.0
    assert [(stage.name, stage.summary.samples) for stage in judged.stages] == [
        ("round 1", len(windows[0])),
        ("round 2", len(windows[1])),
    ]
    assert (judged.duet, judged.changes) == (FACTS, (change(UNCHANGED),))
    assert (judged.fingerprint, judged.notes) == ({"cpu_count": 2}, ("pinned",))


def test_absolute_limits_are_not_asked_since_an_arm_has_half_of_the_load():
    strict = scenario(thresholds=(Threshold(kind="total", subject="total", metric="p95_ms", max=0.001),))

    judged = judge_duet(play(), strict, facts=FACTS, changes=[change(UNCHANGED)])

    assert (judged.verdict, judged.checks) == (Verdict.PASS, ())


def test_requests_without_a_rule_of_their_own_are_uncovered():
    asked = scenario(rule(), rule(kind="request", subject="Buy"))

    assert judge_duet(play(), asked, facts=FACTS, changes=[]).uncovered == ("GET Home",)


def test_a_duet_that_passed_or_warned_raises_nothing():
    for found in (change(UNCHANGED), change(INCONCLUSIVE), change(REGRESSED, Severity.WARN)):
        raise_for_duet(judge(found), is_strict=False)


def test_a_regression_fails_the_test_with_all_that_regressed_the_worst_first():
    small, large = change(REGRESSED, size=0.15), change(REGRESSED, size=0.01, pooled=0.9, subject="GET Home")

    with pytest.raises(Regression) as caught:
        raise_for_duet(judge(small, change(INCONCLUSIVE), large), is_strict=True)

    first, second = caught.value.findings
    assert first.startswith("GET Home: p95 regressed")
    assert second == (
        "total: p95 regressed, 20.0 -> 23.0 ms: +15.0 % (+10.0 to +20.0 %), limit +10.0 % "
        "(2 rounds, 12,040 and 11,980 samples)"
    )
    assert str(caught.value).startswith("peak: regressed:\n  - GET Home")


def test_strict_means_that_an_open_question_fails_what_may_fail():
    opened = change(INCONCLUSIVE, reasons=("the change may be as much as +25.0 %, the limit is +10.0 %",))

    with pytest.raises(InconclusiveComparison, match=r"total: p95 inconclusive.*may be as much as \+25.0 %"):
        raise_for_duet(judge(change(UNCHANGED), opened), is_strict=True)
    raise_for_duet(judge(change(INCONCLUSIVE, Severity.WARN), change(INCONCLUSIVE, Severity.INFO)), is_strict=True)


def test_a_slower_build_fails_its_test_from_the_rounds_to_the_error():
    found = compare(play(1.2))
    judged = judge_duet(play(1.2), scenario(), facts=FACTS, changes=found)

    assert judged.verdict is Verdict.FAIL
    with pytest.raises(Regression, match=r"total: p95 regressed, 42.3 -> 50.8 ms: \+21"):
        raise_for_duet(judged, is_strict=False)


def test_a_rule_that_found_nothing_to_compare_is_no_pass():
    missing: RegressionRule = rule(kind="request", subject="Sell")
    asked = scenario(missing)
    found = compare_rounds(play(), asked, timeout_ms=TIMEOUT_MS, are_cores_shared=False, noise_floor_ratio=None)

    judged = judge_duet(play(), asked, facts=FACTS, changes=found)

    assert judged.verdict is Verdict.INVALID
    assert judged.reasons == (
        "Sell: nothing to compare (thresholds.yaml:5): no request of that name; seen: GET Home, POST Buy",
    )
