"""Compare what is counted per request: processor time, failures, counters."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tailgate.compare_estimators import as_estimate, as_ratio, effective_samples, linearise, serial_error
from tailgate.compare_quantiles import normal_quantile, student_quantile
from tailgate.compare_values import (
    BlockCounts,
    CompareSettings,
    Estimate,
    Indices,
    RateComparison,
    render_ratio,
    round_count,
    why_open,
    why_too_soon,
)
from tailgate.model import Outcome

_FEWEST = 2
"""Blocks that it takes to see any spread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _RatioShift:
    """The logarithm of a ratio of two totals per request, with Student's bounds over blocks and the noise floor.

    Its linearised residuals are those of both rates, each over its rate. Source: Cochran 1977, section 6.5 (the ratio
    estimate), ISBN 978-0-471-16240-7; Binder 1983, https://doi.org/10.2307/1402588.
    """

    value: float
    error: float
    freedom: int
    floor: float

    def bounds(self, level: float) -> tuple[float, float]:
        """Return the lower and upper bound, each of which is wrong with probability ``level``."""
        distance = math.hypot(student_quantile(level, self.freedom) * self.error, normal_quantile(level) * self.floor)
        return self.value - distance, self.value + distance


@dataclass(frozen=True, slots=True, kw_only=True)
class _DifferenceShift:
    """The difference of two rates, bounded by combining a score interval of each.

    The score intervals exist without a single hit, where a standard error would be 0 and prove anything. They are those
    of as many independent requests as the blocks are worth, with Student's quantile in place of the normal one.

    Sources: Newcombe 1998, method 10, https://doi.org/10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I;
    Wilson 1927, https://doi.org/10.1080/01621459.1927.10502953.
    """

    base: float
    candidate: float
    base_effective: float
    candidate_effective: float
    freedom: int
    is_share: bool

    @property
    def value(self) -> float:
        """Candidate minus baseline."""
        return self.candidate - self.base

    def bounds(self, level: float) -> tuple[float, float]:
        """Return the lower and upper bound, each of which is wrong with probability ``level``."""
        t = student_quantile(level, self.freedom)
        base_low, base_high = _score_interval(self.base, self.base_effective, t, is_share=self.is_share)
        low, high = _score_interval(self.candidate, self.candidate_effective, t, is_share=self.is_share)
        return (
            self.value - math.hypot(self.candidate - low, base_high - self.base),
            self.value + math.hypot(high - self.candidate, self.base - base_low),
        )


def compare_cost(counts: BlockCounts, settings: CompareSettings) -> RateComparison:
    """Return the change of a cost per request as a ratio: processor time, queries, bytes.

    Processor time per request is the measure that queues cannot hide: on shared cores a slower build slows the other
    one down as well. Blocks may be as long as rounds; there must be two.

    - regressed: the lower bound at a = alpha / looks is above ``max_change_ratio``, and there were enough rounds;
    - unchanged: the upper bound at a is within it; improved: it is below 0 as well.
    """
    base, candidate = _rates(counts)
    if base is None or candidate is None or len(counts.base) < _FEWEST or not base or not candidate:
        return _open(counts, base, candidate, "fewer than two blocks with requests, or an arm without any cost")
    # Each column over its own total: the difference of such rates has the residuals of the logarithm of their ratio.
    _, residuals = linearise(
        base=counts.base / base,
        candidate=counts.candidate / candidate,
        base_size=counts.base_requests,
        candidate_size=counts.candidate_requests,
    )
    error, rho = serial_error(residuals, _is_neighbour(counts.round_index))
    floor = settings.floor_of(round_count(counts.round_index))
    shift = _RatioShift(value=math.log(candidate / base), error=error, freedom=len(residuals) - 1, floor=floor)
    change = as_ratio(shift, settings.level)
    limit = settings.max_change_ratio
    return _judge(counts, base, candidate, change, rho, limit=limit, settings=settings, render=render_ratio)


def compare_shares(
    counts: BlockCounts, *, max_change: float, settings: CompareSettings, is_share: bool = True
) -> RateComparison:
    """Return the difference of two shares of requests, or of two rates per request, candidate minus baseline.

    ``regressed``, ``unchanged`` and ``improved`` as in ``compare_cost``, with ``max_change`` as the limit.

    Args:
        counts: What was counted, such as failures or a counter of the tests.
        max_change: The largest difference that is allowed: 0.01 is one more in a hundred requests; above 0, because
            no amount of data proves a difference of exactly 0.
        settings: Of which alpha, looks and the rounds are used.
        is_share: Whether a request counts once at most; False for counters that may grow by more.

    Raises:
        ValueError: ``max_change`` is not above 0, or more hits than requests in a share.
    """
    if not 0 < max_change < math.inf:
        raise ValueError(f"max_change is {max_change}, wanted a number above 0")
    if is_share and ((counts.base > counts.base_requests) | (counts.candidate > counts.candidate_requests)).any():
        raise ValueError("a share has more hits than requests; is_share=False compares counters that may")
    base, candidate = _rates(counts)
    if base is None or candidate is None or len(counts.base) < _FEWEST:
        return _open(counts, base, candidate, "fewer than two blocks with requests")
    shift, rho = _difference_shift(counts, base, candidate, is_share=is_share)
    change = as_estimate(shift, settings.level)
    render = _render_points if is_share else _render_difference
    return _judge(counts, base, candidate, change, rho, limit=max_change, settings=settings, render=render)


def _rates(counts: BlockCounts) -> tuple[float | None, float | None]:
    sides = (counts.base, counts.base_requests), (counts.candidate, counts.candidate_requests)
    base, candidate = (float(count.sum() / size.sum()) if size.sum() else None for count, size in sides)
    return base, candidate


def _difference_shift(
    counts: BlockCounts, base: float, candidate: float, *, is_share: bool
) -> tuple[_DifferenceShift, float]:
    _, residuals = linearise(
        base=counts.base,
        candidate=counts.candidate,
        base_size=counts.base_requests,
        candidate_size=counts.candidate_requests,
    )
    error, rho = serial_error(residuals, _is_neighbour(counts.round_index))
    sizes = float(counts.base_requests.sum()), float(counts.candidate_requests.sum())
    independent = _variance(base, is_share=is_share) / sizes[0] + _variance(candidate, is_share=is_share) / sizes[1]
    base_effective, candidate_effective = (effective_samples(size, error, independent) for size in sizes)
    shift = _DifferenceShift(
        base=base,
        candidate=candidate,
        base_effective=base_effective,
        candidate_effective=candidate_effective,
        freedom=len(residuals) - 1,
        is_share=is_share,
    )
    return shift, rho


def _variance(rate: float, *, is_share: bool) -> float:
    """Return the variance of one request: of a yes or no, or of a count by Poisson."""
    return rate * (1 - rate) if is_share else rate


def _score_interval(rate: float, size: float, z: float, *, is_share: bool) -> tuple[float, float]:
    """Return the rates p with ``|rate - p| = z * sqrt(variance(p) / size)``: Wilson's interval, or Poisson's twin."""
    centre = rate + z**2 / (2 * size)
    reach = z * math.sqrt(_variance(rate, is_share=is_share) / size + z**2 / (4 * size**2))
    shrink = 1 + z**2 / size if is_share else 1.0
    return max(0.0, (centre - reach) / shrink), (centre + reach) / shrink


def _is_neighbour(round_index: Indices) -> npt.NDArray[np.bool_]:
    is_neighbour: npt.NDArray[np.bool_] = np.diff(round_index) == 0
    return is_neighbour


def _judge(
    counts: BlockCounts,
    base: float,
    candidate: float,
    change: Estimate,
    rho: float,
    *,
    limit: float,
    settings: CompareSettings,
    render: Callable[[float], str],
) -> RateComparison:
    rounds, outcome = round_count(counts.round_index), Outcome.INCONCLUSIVE
    reasons: tuple[str, ...] = ()
    if change.at_least > limit and rounds >= settings.fail_from_round:
        outcome = Outcome.REGRESSED
    elif change.at_least > limit:
        reasons = (why_too_soon(rounds, settings),)
    elif change.at_most <= limit:
        outcome = Outcome.IMPROVED if change.at_most < 0 else Outcome.UNCHANGED
    else:
        reasons = (why_open(change, limit, render),)
    return RateComparison(
        outcome=outcome,
        base=base,
        candidate=candidate,
        change=change,
        blocks=len(counts.base),
        rounds=rounds,
        rho=rho,
        reasons=reasons,
    )


def _render_points(share: float) -> str:
    return f"{100 * share:+.2f} points"


def _render_difference(rate: float) -> str:
    return f"{rate:+.3g}"


def _open(counts: BlockCounts, base: float | None, candidate: float | None, reason: str) -> RateComparison:
    return RateComparison(
        outcome=Outcome.INCONCLUSIVE,
        base=base,
        candidate=candidate,
        change=None,
        blocks=len(counts.base),
        rounds=round_count(counts.round_index),
        rho=0.0,
        reasons=(reason,),
    )
