"""One sentence a change, which stands alone in a log."""

from __future__ import annotations

import math

import pytest

from tailgate.duet_text import render_change, render_detectable
from tailgate.model import Change, Outcome, Severity
from tests.unit.duet_examples import rule


def change(metric: str = "p95_ms", *, rule_changes: dict | None = None, **changes) -> Change:
    """A change that is unchanged, with the given fields instead of its own."""
    fields = {
        "rule": rule(metric, **(rule_changes or {})),
        "subject": "total",
        "window": "total",
        "outcome": Outcome.UNCHANGED,
        "base": 23.1,
        "candidate": 23.4,
        "change": 0.012,
        "low": -0.021,
        "high": 0.046,
        "detectable": 0.16,
        "rounds": 4,
        "base_samples": 12_040,
        "candidate_samples": 11_980,
    }
    return Change(**{**fields, **changes})


SEEN = "(4 rounds, 12,040 and 11,980 samples; could have failed +16 %)"


def test_a_percentile_is_told_with_its_interval_its_limit_and_what_would_have_been_seen():
    assert render_change(change()) == (
        "total: p95 unchanged, 23.1 -> 23.4 ms: +1.2 % (-2.1 to +4.6 %), limit +10.0 % "
        "(4 rounds, 12,040 and 11,980 samples; could have failed +16 %)"
    )


def test_a_stage_stands_behind_the_subject():
    assert render_change(change(subject="GET Home", window="hold")).startswith("GET Home [hold]: p95 unchanged, ")


def test_a_failure_ratio_changes_by_points():
    found = change(
        "failure_ratio",
        rule_changes={"max_change": 0.01},
        base=0.001,
        candidate=0.0043,
        change=0.0033,
        low=0.0001,
        high=0.0065,
        detectable=0.0142,
    )

    assert render_change(found) == (
        "total: failure ratio unchanged, 0.1 -> 0.43 %: +0.33 points (+0.01 to +0.65 points), limit +1.00 points "
        "(4 rounds, 12,040 and 11,980 samples; could have failed +1.42 points)"
    )


def test_a_counter_changes_by_a_count_for_each_request():
    found = change(
        "count",
        rule_changes={"kind": "counter", "subject": "retries", "max_change": 0.02},
        subject="retries",
        base=0.0334872,
        candidate=0.05,
        change=0.0165,
        low=0.01,
        high=0.023,
        detectable=None,
    )

    assert render_change(found) == (
        "retries: count per request unchanged, 0.0335 -> 0.05: +0.0165 (+0.01 to +0.023), limit +0.02 "
        "(4 rounds, 12,040 and 11,980 samples)"
    )


@pytest.mark.parametrize(
    ("base", "candidate", "told"),
    [(0.456, 0.4591, "0.456 -> 0.459 ms"), (9.96, 10.04, "9.96 -> 10.0 ms"), (1_200.0, 1_450.0, "1,200 -> 1,450 ms")],
)
def test_processor_time_has_three_digits_however_short(base: float, candidate: float, told: str):
    text = render_change(change("cpu_ms", base=base, candidate=candidate))

    assert text.startswith(f"total: processor time per request unchanged, {told}: +1.2 % ")


def test_why_it_is_inconclusive_stands_at_the_end():
    found = change(outcome=Outcome.INCONCLUSIVE, reasons=("one reason", "another"))

    assert render_change(found).startswith("total: p95 inconclusive, 23.1 -> 23.4 ms: ")
    assert render_change(found).endswith(f"{SEEN}: one reason; another")


def test_what_was_not_there_is_told_without_figures():
    found = change(outcome=Outcome.INCONCLUSIVE, base=None, candidate=None, change=None, reasons=("no request",))

    assert render_change(found) == "total: p95 inconclusive: no request"


def test_values_without_an_estimate_are_told_alone():
    found = change(outcome=Outcome.INCONCLUSIVE, change=None, low=None, high=None, detectable=None)

    assert render_change(found) == (
        "total: p95 inconclusive, 23.1 -> 23.4 ms, limit +10.0 % (4 rounds, 12,040 and 11,980 samples)"
    )


def test_what_failed_it_is_told_where_it_was_not_the_typical_change():
    pooled = {"pooled": 0.8, "pooled_low": 0.45, "pooled_high": 1.2}

    of_stalls = render_change(change(outcome=Outcome.REGRESSED, **pooled))
    of_all = render_change(change(outcome=Outcome.REGRESSED, low=0.11, **pooled))

    assert "; over all requests +80.0 % (+45.0 to +120.0 %); could have failed" in of_stalls
    assert "over all requests" not in of_all
    assert "over all requests" not in render_change(change(**pooled))


def test_a_bound_that_is_not_known_may_be_anything():
    found = change(low=-math.inf, high=math.inf, detectable=math.inf)

    assert ": +1.2 % (any to any), limit +10.0 % (4 rounds, 12,040 and 11,980 samples)" in render_change(found)


@pytest.mark.parametrize(
    ("outcome", "word"),
    [(Outcome.REGRESSED, "slower"), (Outcome.IMPROVED, "faster"), (Outcome.INCONCLUSIVE, "not told apart")],
)
def test_what_nobody_asked_for_has_a_word_of_its_own_and_no_limit(outcome: Outcome, word: str):
    unasked = {"severity": Severity.INFO, "rule_changes": {"source": "", "max_change": 0.0}, "detectable": None}

    assert render_change(change(outcome=outcome, subject="GET Home", rounds=1, **unasked)) == (
        f"GET Home: p95 {word}, 23.1 -> 23.4 ms: +1.2 % (-2.1 to +4.6 %) (1 round, 12,040 and 11,980 samples)"
    )


@pytest.mark.parametrize(
    ("size", "told"), [(0.0512, "+5.1 %"), (0.16, "+16 %"), (1.5, "+150 %"), (None, ""), (math.inf, "")]
)
def test_what_would_have_been_seen_is_told_roughly(size: float | None, told: str):
    assert render_detectable(change(detectable=size)) == told
