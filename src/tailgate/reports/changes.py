"""What a report says about a duet, before anything is laid out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tailgate.duet_text import (
    is_unasked,
    metric_words,
    outcome_words,
    render_detectable,
    render_interval,
    render_place,
    render_size,
    render_values,
)
from tailgate.model import Change, DuetFacts, Outcome, Severity, count_of, render_figure
from tailgate.reports.record import changes_of
from tailgate.reports.text import NO_FIGURE, Style

TITLES = ("compared", "baseline", "candidate", "change", "limit", "fails from", "samples", "outcome", "")
"""Of the columns of a table of changes; ``fails from`` is what would have failed in four of five such duets."""

_WORDS = {"failure_ratio": "failed", "cpu_ms": "cpu", "count": "count"}
"""Shorter than those of sentences, so that 80 columns have room for the baseline; all are per request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRow:
    """One change as a row of a table."""

    cells: tuple[str, ...]
    """As in ``TITLES``; the last is a mark."""
    style: Style
    """Colour of what stands out."""


def change_rows(record: Mapping[str, Any]) -> list[ChangeRow]:
    """Return what the rules asked for, and of the other requests those that are proven to differ."""
    return [_row(change) for change in changes_of(record) if change.is_marked or not is_unasked(change)]


def names_alike(record: Mapping[str, Any]) -> list[str]:
    """Return the requests that no rule asked for and that are not proven to differ."""
    return [render_place(change) for change in changes_of(record) if is_unasked(change) and not change.is_marked]


def broken_texts(record: Mapping[str, Any], severity: Severity) -> list[str]:
    """Return, in sentences, what failed, or what only warns: what is inconclusive, or regressed with that severity."""
    pairs = zip(record["changes"], changes_of(record), strict=True)
    return [item["text"] for item, change in pairs if _weight(change) is severity]


def render_builds(duet: Mapping[str, Any]) -> str:
    """Say who was compared: ``main (1a2b3c4) -> working tree (5d6e7f8)``."""
    return f"{duet['base']} -> {duet['candidate']}"


def render_rounds(duet: Mapping[str, Any]) -> str:
    """Say how long and where: ``2 of at most 4 rounds, both on the same cores, 40 % busy``."""
    facts = DuetFacts(**duet)
    parts = [f"{facts.rounds:,} of at most {count_of(facts.most_rounds, 'round')}"]
    if facts.are_processes_fresh:  # Else somebody else runs them, and nobody knows where.
        parts.append("both on the same cores" if facts.are_cores_shared else "each on cores of its own")
    if facts.cpu_ratio is not None:
        parts.append(f"{100 * facts.cpu_ratio:.0f} % busy")
    if not facts.are_processes_fresh:
        parts.append("the same processes in every round")
    if facts.injected_ratio:
        parts.append(f"the candidate made {100 * facts.injected_ratio:g} % slower on purpose")
    return ", ".join(parts)


def render_outcomes(record: Mapping[str, Any]) -> str:
    """Return what the comparisons came to: ``1 of 3 comparisons regressed, 1 inconclusive``."""
    outcomes = _asked_outcomes(record)
    whole = count_of(len(outcomes), "comparison")
    counts = [(outcomes.count(outcome), outcome) for outcome in (Outcome.REGRESSED, Outcome.INCONCLUSIVE)]
    parts = [f"{count:,} {outcome}" for count, outcome in counts if count]
    if not parts:
        improved = outcomes.count(Outcome.IMPROVED)
        return f"{whole}, none regressed" + (f", {improved:,} improved" if improved else "")
    number, _, rest = ", ".join(parts).partition(" ")
    return f"{number} of {whole} {rest}"


def proven_of(record: Mapping[str, Any]) -> str:
    """Return how many comparisons are proven to be no worse than allowed: ``2/3``."""
    outcomes = _asked_outcomes(record)
    return f"{sum(outcome in {Outcome.UNCHANGED, Outcome.IMPROVED} for outcome in outcomes):,}/{len(outcomes):,}"


def _asked_outcomes(record: Mapping[str, Any]) -> list[Outcome]:
    return [change.outcome for change in changes_of(record) if change.severity is not Severity.INFO]


def _weight(change: Change) -> Severity:
    """Return what a change does to the verdict; ``info`` is nothing."""
    if change.severity is Severity.INFO or change.outcome in {Outcome.UNCHANGED, Outcome.IMPROVED}:
        return Severity.INFO
    return change.severity if change.outcome is Outcome.REGRESSED else Severity.WARN


def _row(change: Change) -> ChangeRow:
    metric = change.rule.metric
    mark, style = _mark(change)
    return ChangeRow(
        cells=(
            f"{render_place(change)}: {_WORDS.get(metric, metric_words(metric))}",
            *_values(change),
            _short_interval(change) or NO_FIGURE,
            NO_FIGURE if is_unasked(change) else render_size(change, change.rule.max_change),
            render_detectable(change) or NO_FIGURE,
            f"{change.base_samples:,} + {change.candidate_samples:,}",
            outcome_words(change),
            mark,
        ),
        style=style,
    )


def _values(change: Change) -> tuple[str, str]:
    """Return both values, each with its unit."""
    given = change.base, change.candidate
    if change.base is None or change.candidate is None:
        base, candidate = (NO_FIGURE if value is None else render_figure(change.rule.metric, value) for value in given)
        return base, candidate
    before, _, after = render_values(change).partition(" -> ")
    unit = after.partition(" ")[2]
    return f"{before} {unit}".rstrip(), after


def _short_interval(change: Change) -> str:
    """Return the change with its interval and only one unit: ``+1.2 % (-2.1 to +4.6)``."""
    text = render_interval(change)
    unit = text.partition(" (")[0].partition(" ")[2]
    return f"{text.removesuffix(f' {unit})')})" if unit and text.endswith(f" {unit})") else text


def _mark(change: Change) -> tuple[str, Style]:
    """Return the mark of a change, as ``highlights.mark`` does for checks, and its colour."""
    if change.severity is Severity.INFO:
        return "·", ""
    marks: dict[Severity, tuple[str, Style]] = {
        Severity.FAIL: ("✗", "bold red"),
        Severity.WARN: ("!", "yellow"),
        Severity.INFO: ("✓", "green"),
    }
    return marks[_weight(change)]
