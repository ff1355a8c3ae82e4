"""Turn what a duet found into a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tailgate.checks import matching_keys
from tailgate.duet_join import join_rounds
from tailgate.duet_rounds import Round
from tailgate.duet_text import is_unasked, render_change
from tailgate.duet_validity import find_duet_reasons
from tailgate.errors import InconclusiveComparison, InvalidRun, Regression
from tailgate.judge import judge_run
from tailgate.model import Change, DuetFacts, Judged, Outcome, Scenario, Severity, Verdict

_ASKED = (Severity.FAIL, Severity.WARN)
_ONLY_INFORMED = "every rule has the severity info: only a request that is broken in the candidate would fail this duet"


def judge_duet(
    rounds: Sequence[Round],
    scenario: Scenario,
    *,
    facts: DuetFacts,
    changes: Sequence[Change],
    fingerprint: Mapping[str, Any] | None = None,
    notes: Sequence[str] = (),
) -> Judged:
    """Return a duet with its verdict; raises nothing, whatever the verdict.

    ``invalid`` if the rounds cannot tell; ``fail`` if a rule of that severity regressed; ``warn`` if one is
    inconclusive, or regressed with severity ``warn``, or if rules that only inform found nothing to compare; else
    ``pass``. The figures are those of the candidate over all
    rounds, each round a stage. The absolute limits of the scenario are not asked: an arm has half of the load.

    Args:
        rounds: At least one, in the order in which they were played.
        scenario: What was asked for.
        facts: Who played.
        changes: What ``compare_rounds`` found in these rounds.
        fingerprint: Where it was played, as JSON values.
        notes: What else a reader should know.
    """
    run = join_rounds([played.candidate.run for played in rounds])
    judged = judge_run(run, replace(scenario, thresholds=()), fingerprint=fingerprint)
    reasons = find_duet_reasons(rounds, scenario)
    return replace(
        judged,
        verdict=_verdict(reasons, changes),
        reasons=reasons,
        uncovered=_uncovered(tuple(judged.requests), scenario),
        notes=(*run.notes, *([] if _can_fail(scenario) else [_ONLY_INFORMED]), *notes),
        duet=facts,
        changes=tuple(changes),
    )


def raise_for_duet(judged: Judged, *, is_strict: bool) -> None:
    """Raise what the verdict of a duet means for a test.

    Raises:
        InvalidRun: The verdict is ``invalid``.
        Regression: The verdict is ``fail``.
        InconclusiveComparison: A rule that can fail the test is inconclusive, and ``is_strict`` says that this is not
            enough.
    """
    if judged.verdict is Verdict.INVALID:
        raise InvalidRun(judged.scenario, judged.reasons)
    judging = [change for change in judged.changes if change.severity is Severity.FAIL]
    regressed = [change for change in judging if change.outcome is Outcome.REGRESSED]
    if regressed:
        raise Regression(judged.scenario, [render_change(change) for change in sorted(regressed, key=_excess)])
    unsure = [change for change in judging if change.outcome is Outcome.INCONCLUSIVE]
    if unsure and is_strict:
        raise InconclusiveComparison(judged.scenario, [render_change(change) for change in unsure])


def _verdict(reasons: Sequence[str], changes: Sequence[Change]) -> Verdict:
    if reasons:
        return Verdict.INVALID
    found = {(change.outcome, change.severity) for change in changes}
    if (Outcome.REGRESSED, Severity.FAIL) in found:
        return Verdict.FAIL
    warnings = {(Outcome.REGRESSED, Severity.WARN), *((Outcome.INCONCLUSIVE, each) for each in _ASKED)}
    is_empty = all(change.change is None for change in changes if not is_unasked(change))
    return Verdict.WARN if found & warnings or is_empty else Verdict.PASS


def _can_fail(scenario: Scenario) -> bool:
    return any(rule.severity in _ASKED for rule in scenario.regressions)


def _excess(change: Change) -> float:
    """Return how far a change is within its limit, as a share of the limit: the worst first."""
    sizes = [size for size in (change.change, change.pooled) if size is not None]
    return -max(sizes) / change.rule.max_change


def _uncovered(keys: Sequence[str], scenario: Scenario) -> tuple[str, ...]:
    patterns = [rule.subject for rule in scenario.regressions if rule.kind == "request"]
    covered = {key for pattern in patterns for key in matching_keys(pattern, keys)}
    return tuple(key for key in keys if key not in covered)
