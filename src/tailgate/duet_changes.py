"""Turn what ``tailgate.compare`` found into the changes of a duet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from tailgate.compare import CompareSettings, LatencyComparison, NameComparison, RateComparison
from tailgate.compare_estimators import detectable_ratio
from tailgate.compare_quantiles import reach_of_power
from tailgate.compare_values import BlockCounts, Estimate
from tailgate.model import TOTAL, Change, Outcome, RegressionRule


def nothing(rule: RegressionRule, reason: str) -> Change:
    """Return the change of something that was not there to compare."""
    return Change(
        rule=rule,
        subject=rule.subject,
        window=rule.stage or TOTAL,
        outcome=Outcome.INCONCLUSIVE,
        base=None,
        candidate=None,
        change=None,
        low=None,
        high=None,
        reasons=(reason,),
        severity=rule.severity,
    )


def from_latency(rule: RegressionRule, found: LatencyComparison) -> Change:
    """Return the change of a percentile."""
    return Change(
        rule=rule,
        subject=rule.subject,
        window=rule.stage or TOTAL,
        outcome=found.outcome,
        base=found.base_ms,
        candidate=found.candidate_ms,
        change=found.change.value if found.change else None,
        low=found.change.low if found.change else None,
        high=found.change.high if found.change else None,
        standard_error=found.standard_error,
        pooled=found.pooled.value if found.pooled else None,
        pooled_low=found.pooled.low if found.pooled else None,
        pooled_high=found.pooled.high if found.pooled else None,
        detectable=found.detectable_change_ratio,
        is_marked=found.is_slower or found.is_faster,
        blocks=found.blocks,
        rounds=found.rounds,
        base_samples=found.base_samples,
        candidate_samples=found.candidate_samples,
        noise_floor_ratio=found.settings.noise_floor_ratio,
        reasons=found.reasons,
        severity=rule.severity,
    )


def from_rate(
    rule: RegressionRule, found: RateComparison, counts: BlockCounts, settings: CompareSettings, *, unit: float = 1.0
) -> Change:
    """Return the change of what is counted per request; both values are multiplied by ``unit``."""
    estimate = found.change
    return Change(
        rule=rule,
        subject=rule.subject,
        window=rule.stage or TOTAL,
        outcome=found.outcome,
        base=None if found.base is None else unit * found.base,
        candidate=None if found.candidate is None else unit * found.candidate,
        change=estimate.value if estimate else None,
        low=estimate.low if estimate else None,
        high=estimate.high if estimate else None,
        detectable=_detectable(rule, estimate, settings) if estimate else None,
        is_marked=bool(estimate and (estimate.at_least > 0 or estimate.at_most < 0)),
        blocks=found.blocks,
        rounds=found.rounds,
        base_samples=int(counts.base_requests.sum()),
        candidate_samples=int(counts.candidate_requests.sum()),
        noise_floor_ratio=settings.noise_floor_ratio if rule.is_ratio else None,
        reasons=found.reasons,
        severity=rule.severity,
    )


def from_name(rule: RegressionRule, found: NameComparison, *, rounds: int, noise_floor_ratio: float) -> Change:
    """Return the change of a request that no rule compares: worse or better than no change at all, or not told apart.

    Its limit is 0, and its error that of all names together, so that the outcome follows from the mark.
    """
    value = found.change.value if found.change else None
    is_worse = value is not None and value > 0
    outcome = Outcome.REGRESSED if is_worse else Outcome.IMPROVED
    return Change(
        rule=replace(rule, subject=found.name),
        subject=found.name,
        window=TOTAL,
        outcome=outcome if found.is_changed else Outcome.INCONCLUSIVE,
        base=found.base_ms,
        candidate=found.candidate_ms,
        change=value,
        low=found.change.low if found.change else None,
        high=found.change.high if found.change else None,
        is_marked=found.is_changed,
        blocks=found.blocks,
        rounds=rounds,
        base_samples=found.base_samples,
        candidate_samples=found.candidate_samples,
        noise_floor_ratio=noise_floor_ratio,
        reasons=(found.note,) if found.note else (),
        severity=rule.severity,
    )


def doubt(change: Change, reasons: Sequence[str]) -> Change:
    """Return a change that is inconclusive for further reasons; the same change if there are none."""
    if not reasons:
        return change
    return replace(change, outcome=Outcome.INCONCLUSIVE, reasons=(*change.reasons, *reasons))


def _detectable(rule: RegressionRule, estimate: Estimate, settings: CompareSettings) -> float | None:
    """Return the change that is found with a power of 80 %: the limit, the way to the bound, and 0.84 errors more.

    None where a change of that size could not be, or tells nothing.
    """
    if rule.is_ratio:
        if estimate.at_least <= -1:  # No bound at all.
            return None
        way = math.log1p(estimate.value) - math.log1p(estimate.at_least)
        return detectable_ratio(rule.max_change, way, settings.level)
    size = rule.max_change + reach_of_power(settings.level) * (estimate.value - estimate.at_least)
    return None if rule.metric == "failure_ratio" and size > 1 else size
