"""Judge whether a candidate is slower than a baseline that was loaded at the same time.

Pure and without random numbers: the same input gives the same verdict. The requests of both arms are cut into the same
short blocks of time. Two estimators are asked, because each is blind where the other sees: the typical change from
block to block (``PairedShift``) and the change of the pooled quantile (``PooledShift``). What can be proven within
the allowed error is the outcome; the rest is inconclusive. docs/duet.md shows how often that was right.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from tailgate.compare_blocks import Pairs, count_failures, pair_up
from tailgate.compare_estimators import (
    PairedShift,
    PooledShift,
    as_ratio,
    detectable_ratio,
    paired_shift,
    pooled_shift,
)
from tailgate.compare_limits import exceed_verdict, share_verdict
from tailgate.compare_rates import compare_cost, compare_shares
from tailgate.compare_values import (
    Arm,
    BlockCounts,
    CompareSettings,
    Estimate,
    Floats,
    LatencyComparison,
    NameComparison,
    ProcessPair,
    RateComparison,
    ShareComparison,
    join,
    most,
    render_ratio,
    round_count,
    why_open,
    why_too_soon,
)
from tailgate.model import HEADROOM_RATIO, Outcome, Window, count_of
from tailgate.percentiles import percentile

__all__ = [
    "FEWEST_RUNS",
    "HEADROOM_RATIO",
    "Arm",
    "BlockCounts",
    "CompareSettings",
    "Estimate",
    "LatencyComparison",
    "NameComparison",
    "Outcome",
    "ProcessPair",
    "RateComparison",
    "ShareComparison",
    "adjust",
    "compare_cost",
    "compare_latency",
    "compare_names",
    "compare_shares",
    "count_failures",
    "exceed_verdict",
    "learn_noise_floor",
    "share_verdict",
]

FEWEST_RUNS = 8
"""A standard deviation from fewer runs is too rough to be used."""
_LOWEST_FLOOR_RATIO = 0.005


def compare_latency(
    base: Arm, candidate: Arm, *, rounds: Sequence[Window], timeout_ms: float, settings: CompareSettings
) -> LatencyComparison:
    """Return whether a quantile of the candidate's latency is worse than the baseline's by more than the budget.

    With a = alpha / looks, and two estimators that share the error:

    - regressed: the lower bound at a / 2 of either is above the budget (Bonferroni), and there were enough rounds;
    - unchanged: the upper bound at a of the paired estimate is within the budget, and that of the pooled one within
      ``guard_change_ratio``; both must hold, so that neither needs a correction;
    - improved: unchanged, and both upper bounds at a are below 0. A candidate that is not better by at least one of the
      two measures is called so with a probability of at most a in each look, at most alpha in all;
    - inconclusive: none of them, too few blocks or samples, or what would be regressed if there were more rounds.

    Args:
        base: What the candidate is measured by.
        candidate: The build in question.
        rounds: Windows in order of time, warm-up left out; requests outside of them are not looked at.
        timeout_ms: What a failure counts as: the client's timeout.
        settings: Budget, error and least amounts of data.

    Raises:
        ValueError: Rounds that overlap or are not in order.

    Source: Berger and Hsu 1996 (proving that a change is within limits), https://doi.org/10.1214/ss/1032280304.
    """
    pairs = pair_up(base, candidate, rounds=rounds, timeout_ms=timeout_ms, settings=settings)
    reasons = _too_little(pairs, settings)
    if pairs.count < 2:  # noqa: PLR2004 - one pair does not vary
        return _without_estimate(pairs, reasons, settings)
    paired, pooled = _shifts(pairs, settings)
    change, guard = as_ratio(paired, settings.level), as_ratio(pooled, settings.level)
    outcome, why = _decide(change, guard, round_count(pairs.round_index), settings)
    return replace(
        _without_estimate(pairs, reasons or why, settings),
        outcome=Outcome.INCONCLUSIVE if reasons else outcome,
        base_ms=_pooled_ms(pairs.base_log, settings.q),
        candidate_ms=_pooled_ms(pairs.candidate_log, settings.q),
        change=change,
        pooled=guard,
        standard_error=paired.standard_error,
        rho=paired.rho,
        detectable_change_ratio=None if reasons else _detectable(paired, settings),
    )


def compare_names(
    base: Mapping[str, Arm],
    candidate: Mapping[str, Arm],
    *,
    rounds: Sequence[Window],
    timeout_ms: float,
    settings: CompareSettings,
) -> tuple[NameComparison, ...]:
    """Return how each request name changed, in alphabetical order: information about where to look, not a verdict.

    Of the names that are marked as changed, at most the share ``alpha`` is expected to be unchanged.

    Args:
        base: The arm of each name.
        candidate: The arm of each name.
        rounds: As in ``compare_latency``; so are the rest.
        timeout_ms: What a failure counts as.
        settings: Of which the quantile, alpha, floor and least amounts are used.

    Source: Benjamini and Hochberg 1995, https://doi.org/10.1111/j.2517-6161.1995.tb02031.x.
    """
    found = []
    for name in sorted(base.keys() | candidate.keys()):
        arms = [side.get(name, _NOTHING) for side in (base, candidate)]
        pairs = pair_up(arms[0], arms[1], rounds=rounds, timeout_ms=timeout_ms, settings=settings)
        found.append(_compare_name(name, pairs, settings))
    adjusted = iter(adjust([one.p_value for one in found if one.p_value is not None]))
    return tuple(_mark(one, next(adjusted), settings.alpha) if one.p_value is not None else one for one in found)


def adjust(p_values: Sequence[float]) -> list[float]:
    """Return the p-values adjusted so that all up to a limit keep the false discovery rate below that limit.

    Source: Benjamini and Hochberg 1995, https://doi.org/10.1111/j.2517-6161.1995.tb02031.x.
    """
    order = np.argsort(p_values, kind="stable")[::-1]
    ranks = np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum.accumulate(np.minimum(np.array(p_values)[order] * len(p_values) / ranks, 1.0))
    return [float(value) for value in adjusted]


def learn_noise_floor(pairs: Sequence[ProcessPair]) -> float:
    """Return how much two pairs of processes of the same build differ on this class of machine, as a ratio.

    Of duets of a build against itself, what is left of the square changes when the error within the runs is taken away,
    for one round: ``sqrt(sum(r^2 (e^2 - SE^2)) / sum(r))`` with logarithms and r rounds of each duet. Not less than
    0.5 %.

    A duet ends as soon as it is decided, so those of few rounds are the ones that happened to show little. That is why
    rounds are added up, not duets: ``r e`` is the sum of what r rounds showed, whose square has the expectation of r
    times that of one round whenever the duet ends.

    Raises:
        ValueError: Fewer than eight results with an estimate.

    Source: the estimator of DerSimonian and Laird 1986 for equal weights, https://doi.org/10.1016/0197-2456(86)90046-2,
    with the mean known to be 0; Wald 1944 (sums that end by what they show),
    https://doi.org/10.1214/aoms/1177731235; Kalibera and Jones 2013 on repeating at the level that varies,
    https://doi.org/10.1145/2555670.2464160.
    """
    known = [pair for pair in pairs if math.isfinite(pair.standard_error)]
    if len(known) < FEWEST_RUNS:
        raise ValueError(f"a noise floor needs {FEWEST_RUNS} duets with an estimate, there are {len(known)}")
    excess = sum(pair.rounds**2 * (math.log1p(pair.change_ratio) ** 2 - pair.standard_error**2) for pair in known)
    return max(_LOWEST_FLOOR_RATIO, math.sqrt(max(0.0, excess / sum(pair.rounds for pair in known))))


_NOTHING = Arm(scheduled_s=np.empty(0), latency_ms=np.empty(0), is_failure=np.empty(0, dtype=bool))


def _shifts(pairs: Pairs, settings: CompareSettings) -> tuple[PairedShift, PooledShift]:
    floor, q = _floor(pairs, settings), float(settings.q)
    return (
        paired_shift(pairs.differences(q), pairs.is_neighbour, floor),
        pooled_shift(pairs, q, floor),
    )


def _floor(pairs: Pairs, settings: CompareSettings) -> float:
    return settings.floor_of(round_count(pairs.round_index))


def _decide(
    change: Estimate, guard: Estimate, rounds: int, settings: CompareSettings
) -> tuple[Outcome, tuple[str, ...]]:
    """Return the outcome by the rules of ``compare_latency``, and why it is inconclusive."""
    budget = settings.max_change_ratio
    if change.low > budget or guard.low > budget:
        if rounds >= settings.fail_from_round:
            return Outcome.REGRESSED, ()
        return Outcome.INCONCLUSIVE, (why_too_soon(rounds, settings),)
    if change.at_most <= budget and guard.at_most <= settings.guard_change_ratio:
        is_better = change.at_most < 0 and guard.at_most < 0
        return Outcome.IMPROVED if is_better else Outcome.UNCHANGED, ()
    wanted = settings.guard_change_ratio
    return Outcome.INCONCLUSIVE, join(
        [
            why_open(change, budget, render_ratio) if change.at_most > budget else None,
            f"over all requests it may be {most(guard, render_ratio)}, wanted at most {render_ratio(wanted)}"
            if guard.at_most > wanted
            else None,
        ]
    )


def _too_little(pairs: Pairs, settings: CompareSettings) -> tuple[str, ...]:
    fewest = min(pairs.base_log.size, pairs.candidate_log.size)
    return join(
        [
            f"{count_of(pairs.count, 'usable block')} of {pairs.block_s:g} s, {settings.min_blocks} needed"
            if pairs.count < settings.min_blocks
            else None,
            f"{count_of(fewest, 'sample')} of an arm in usable blocks, {settings.wanted_samples:,} needed"
            if fewest < settings.wanted_samples
            else None,
        ]
    )


def _without_estimate(pairs: Pairs, reasons: tuple[str, ...], settings: CompareSettings) -> LatencyComparison:
    return LatencyComparison(
        outcome=Outcome.INCONCLUSIVE,
        base_ms=None,
        candidate_ms=None,
        change=None,
        pooled=None,
        standard_error=None,
        blocks=pairs.count,
        dropped_blocks=pairs.dropped,
        block_s=pairs.block_s,
        base_samples=pairs.base_log.size,
        candidate_samples=pairs.candidate_log.size,
        rounds=round_count(pairs.round_index),
        rho=0.0,
        noise_floor_ratio=_floor(pairs, settings),
        detectable_change_ratio=None,
        reasons=reasons,
        settings=settings,
    )


def _detectable(paired: PairedShift, settings: CompareSettings) -> float | None:
    level = settings.level / 2
    return detectable_ratio(settings.max_change_ratio, paired.value - paired.bounds(level)[0], level)


def _pooled_ms(logs: Floats, q: Fraction) -> float | None:
    return float(np.exp(percentile(logs, q))) if logs.size else None


def _compare_name(name: str, pairs: Pairs, settings: CompareSettings) -> NameComparison:
    too_little = _too_little(pairs, settings)
    paired = None if too_little else _shifts(pairs, settings)[0]
    return NameComparison(
        name=name,
        base_ms=_pooled_ms(pairs.base_log, settings.q),
        candidate_ms=_pooled_ms(pairs.candidate_log, settings.q),
        change=as_ratio(paired, settings.level) if paired else None,
        blocks=pairs.count,
        base_samples=pairs.base_log.size,
        candidate_samples=pairs.candidate_log.size,
        p_value=paired.p_value if paired else None,
        adjusted_p_value=None,
        is_changed=False,
        note="; ".join(too_little),
    )


def _mark(one: NameComparison, adjusted: float, alpha: float) -> NameComparison:
    return replace(one, adjusted_p_value=adjusted, is_changed=adjusted <= alpha)
