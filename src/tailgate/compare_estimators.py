"""Estimates of how far two paired arms differ, each with bounds for any level of error.

All are on a scale on which nothing changed is 0: logarithms of a ratio, or differences of shares.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from tailgate.compare_blocks import Pairs
from tailgate.compare_quantiles import normal_quantile, reach_of_power, student_quantile, student_tails
from tailgate.compare_values import Estimate, Floats, Indices

_HIGHEST_RHO = 0.8
_MAD_TO_SD = 1.4826
"""Standard deviation of a normal variable over its median absolute deviation."""
_FIRST_STEP = 0.02
_DOUBLINGS = 12
_HALVINGS = 13
"""2 % halved so often is 0.0002 %."""
_FURTHEST = math.log(1000.0)
"""From an estimate to its bound: one that is further away tells nothing."""
_MOST_BEYOND = math.log(10.0)
"""From a limit to what is found: where only more is found, hardly anything is."""


class Shift(Protocol):
    """An estimate whose bounds can be asked for at any level."""

    @property
    def value(self) -> float:
        """The estimate itself."""

    def bounds(self, level: float) -> tuple[float, float]:
        """Return the lower and upper bound, each of which is wrong with probability ``level``."""


def as_ratio(shift: Shift, level: float) -> Estimate:
    """Return an estimate of a logarithm as a change in ratio, with its bounds at ``level``.

    A bound that is a thousand times the estimate, or a thousandth of it, is none: -100 %, or infinite.
    """

    def scale(log_ratio: float) -> float:
        away = log_ratio - shift.value
        return to_ratio(log_ratio if abs(away) <= _FURTHEST else math.copysign(math.inf, away))

    return as_estimate(shift, level, scale=scale)


def detectable_ratio(limit: float, way: float, level: float) -> float | None:
    """Return the change in ratio that breaks a limit with a power of 80 %; None if that is tenfold, or nothing would.

    Args:
        limit: The change that is allowed, as a ratio.
        way: From the logarithm of the estimate to its lower bound at ``level``.
        level: Error of that bound.
    """
    beyond = way * reach_of_power(level)
    return to_ratio(math.log1p(limit) + beyond) if beyond <= _MOST_BEYOND else None


def as_estimate(shift: Shift, level: float, *, scale: Callable[[float], float] = float) -> Estimate:
    """Return an estimate with its two-sided interval of error ``level`` and its one-sided bounds of that error each."""
    low, high = shift.bounds(level / 2)
    at_least, at_most = shift.bounds(level)
    return Estimate(
        value=scale(shift.value), low=scale(low), high=scale(high), at_least=scale(at_least), at_most=scale(at_most)
    )


def to_ratio(log_ratio: float) -> float:
    """Return the logarithm of a ratio as a change: 0.0488 is a change of 0.05."""
    return math.expm1(log_ratio) if log_ratio < 700 else math.inf  # noqa: PLR2004 - beyond it a float overflows


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairedShift:
    """The Hodges-Lehmann estimate of the centre of differences, with bounds by Wilcoxon's signed ranks.

    The value is the median of all Walsh averages ``(d_i + d_j) / 2``, i <= j. The bounds are the c-th smallest and
    c-th largest of them; c comes from the normal approximation of the signed-rank statistic. Both are widened, for
    neighbours that resemble each other by the design effect of a first-order autoregressive series,
    ``k = sqrt((1 + rho) / (1 - rho))``, and for the difference that two processes of one build have by the noise
    floor f: the distance to each bound becomes ``sqrt((k * distance)^2 + (z * f)^2)``.

    Sources: Hodges and Lehmann 1963, https://doi.org/10.1214/aoms/1177704172; Hollander, Wolfe and Chicken 2014,
    sections 3.2 and 3.3, https://doi.org/10.1002/9781119196037; Bayley and Hammersley 1946 (effective number of
    autocorrelated observations), https://doi.org/10.2307/2983560.
    """

    walsh: Floats
    """In ascending order."""
    count: int
    rho: float
    floor: float

    @property
    def value(self) -> float:
        """Median of the Walsh averages."""
        return _median_of_sorted(self.walsh)

    @property
    def standard_error(self) -> float:
        """Half of the 90 % interval over its normal quantile, without the floor."""
        below, above = self._distances(0.05)
        return _stretch(self.rho) * (below + above) / (2 * normal_quantile(0.05))

    @property
    def p_value(self) -> float:
        """Two-sided probability of a value so far from 0, floor included, by Student's distribution.

        With a degree of freedom less than there are pairs. Of many names a mark takes a value far out, where it matters
        that ten pairs do not know their error well.
        """
        spread = math.hypot(self.standard_error, self.floor)
        if spread == 0:
            return float(self.value == 0)
        return student_tails(self.value / spread, self.count - 1)

    def bounds(self, level: float) -> tuple[float, float]:
        """Return the lower and upper bound, each of which is wrong with probability ``level``."""
        k, from_floor = _stretch(self.rho), normal_quantile(level) * self.floor
        below, above = (math.hypot(k * distance, from_floor) for distance in self._distances(level))
        return self.value - below, self.value + above

    def _distances(self, level: float) -> tuple[float, float]:
        m = self.count
        spread = normal_quantile(level) * math.sqrt(m * (m + 1) * (2 * m + 1) / 24)
        c = math.floor(m * (m + 1) / 4 - spread)
        if c < 1:  # So few pairs cannot be so sure, whatever they say.
            return math.inf, math.inf
        return self.value - float(self.walsh[c - 1]), float(self.walsh[-c]) - self.value


def paired_shift(differences: Floats, is_neighbour: npt.NDArray[np.bool_], floor: float) -> PairedShift:
    """Return the estimate for the differences of pairs, shape ``(blocks,)``, in order of time; one is the least."""
    row, column = np.triu_indices(len(differences))
    return PairedShift(
        walsh=np.sort((differences[row] + differences[column]) / 2),
        count=len(differences),
        rho=autocorrelation(differences, is_neighbour),
        floor=floor,
    )


def autocorrelation(series: Floats, is_neighbour: npt.NDArray[np.bool_]) -> float:
    """Return how much neighbours resemble each other: the lag-1 autocorrelation, held within 0 and 0.8.

    Values further than three (scaled) median absolute deviations from the median are moved there first, because one
    burst would otherwise hide what the rest does. Only pairs of direct neighbours count.

    Args:
        series: Shape ``(blocks,)``, in order of time.
        is_neighbour: Whether each but the last is directly followed by the next, shape ``(blocks - 1,)``.
    """
    centre = float(np.median(series))
    reach = 3 * _MAD_TO_SD * float(np.median(np.abs(series - centre)))
    clipped = np.clip(series, centre - reach, centre + reach) if reach > 0 else series
    around = clipped - clipped.mean()
    variance, pairs = float(np.mean(around**2)), int(np.count_nonzero(is_neighbour))
    if not pairs or variance <= 1e-24 * max(1.0, centre**2):  # Nothing but rounding.
        return 0.0
    covariance = float(np.sum((around[:-1] * around[1:])[is_neighbour])) / pairs
    return min(max(covariance / variance, 0.0), _HIGHEST_RHO)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PooledShift:
    """The logarithm of the ratio of two quantiles over all requests, with bounds that respect the blocks.

    What people see, and what sees a slowdown that sits in a few seconds. The value is the difference of the two
    quantiles of the logarithms. The bounds invert a test: with the candidate's logarithms moved down by s, the two
    arms should reach the quantile of their union equally often. The difference of these two shares over its standard
    error, in which whole blocks, not requests, are what varies, is compared with Student's quantile, and s is found by
    bisection. The noise floor widens both bounds as it does those of ``PairedShift``.

    Sources: Woodruff 1952 (bounds of quantiles through shares), https://doi.org/10.1080/01621459.1952.10483443;
    Binder 1983 (linearised variance over clusters), https://doi.org/10.2307/1402588.
    """

    base: _SortedArm
    candidate: _SortedArm
    q: float
    floor: float

    @property
    def value(self) -> float:
        """Difference of the two quantiles."""
        return float(np.quantile(self.candidate.log, self.q) - np.quantile(self.base.log, self.q))

    def bounds(self, level: float) -> tuple[float, float]:
        """Return the lower and upper bound, each of which is wrong with probability ``level``; infinite if none."""
        value, from_floor = self.value, normal_quantile(level) * self.floor
        critical = student_quantile(level, len(self.base.sizes) - 1)
        below = _distance(lambda distance: self._t_at(value - distance) >= critical)
        above = _distance(lambda distance: self._t_at(value + distance) <= -critical)
        return value - math.hypot(below, from_floor), value + math.hypot(above, from_floor)

    def _t_at(self, shift: float) -> float:
        """Return by how many standard errors the moved candidate reaches the union's quantile more often."""
        threshold = _union_quantile(self.base.log, self.candidate.log - shift, self.q)
        difference, residuals = linearise(
            base=self.base.count_reaching(threshold),
            candidate=self.candidate.count_reaching(threshold, shift),
            base_size=self.base.sizes,
            candidate_size=self.candidate.sizes,
        )
        error = cluster_error(residuals)
        return difference / error if error > 0 else math.copysign(math.inf, difference) if difference else 0.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _SortedArm:
    """One arm in ascending order, so that what reaches a threshold is its end."""

    log: Floats
    block: Indices
    sizes: Indices
    """Samples of each block, shape ``(blocks,)``."""

    def count_reaching(self, threshold: float, shift: float = 0.0) -> Indices:
        """Return how many samples of each block reach the threshold when all are moved down by ``shift``.

        Reach, not exceed: where many samples are equal, as timeouts are, none might exceed the quantile.
        """
        first = np.searchsorted(self.log - shift, threshold, side="left")
        return np.bincount(self.block[first:], minlength=len(self.sizes))


def pooled_shift(pairs: Pairs, q: float, floor: float) -> PooledShift:
    """Return the estimate for the ``q`` quantile of at least two pairs of blocks."""
    base = _sort_arm(pairs.base_log, pairs.base_block, pairs.count)
    candidate = _sort_arm(pairs.candidate_log, pairs.candidate_block, pairs.count)
    return PooledShift(base=base, candidate=candidate, q=q, floor=floor)


def _sort_arm(log: Floats, block: Indices, count: int) -> _SortedArm:
    order = np.argsort(log, kind="stable")
    return _SortedArm(log=log[order], block=block[order], sizes=np.bincount(block, minlength=count))


def _union_quantile(first: Floats, second: Floats, q: float) -> float:
    """Return the ``q`` quantile of two ascending arrays together, as NumPy does by default.

    Only the ends of both can hold it. It is asked for some eighty times in a comparison, which decides its speed.
    """
    count = first.size + second.size
    position = (count - 1) * q
    top = count - math.floor(position)
    highest = np.sort(np.concatenate((first[-top:], second[-top:])))[-top:]
    return float(highest[0] + (highest[min(1, top - 1)] - highest[0]) * (position % 1))


def linearise(
    *,
    base: Floats | Indices,
    candidate: Floats | Indices,
    base_size: Floats | Indices,
    candidate_size: Floats | Indices,
) -> tuple[float, Floats]:
    """Return the difference of two rates per request, and the part that each block has in its error.

    With counts E and requests N of an arm, ``u_j = (E_cj - p_c N_cj) / N_c - (E_bj - p_b N_bj) / N_b`` and
    ``p = E / N``; the candidate is c. All columns have the shape ``(blocks,)``; each arm has a request.
    """
    base_total, candidate_total = float(base_size.sum()), float(candidate_size.sum())
    base_rate, candidate_rate = float(base.sum()) / base_total, float(candidate.sum()) / candidate_total
    of_candidate: Floats = np.asarray(candidate - candidate_rate * candidate_size) / candidate_total
    of_base: Floats = np.asarray(base - base_rate * base_size) / base_total
    return candidate_rate - base_rate, of_candidate - of_base


def cluster_error(residuals: Floats) -> float:
    """Return the standard error ``sqrt(m / (m - 1) sum u_j^2)`` of a statistic with the residuals u of m >= 2 blocks.

    Source: Binder 1983, https://doi.org/10.2307/1402588.
    """
    m = len(residuals)
    return math.sqrt(m / (m - 1) * float(np.sum(residuals**2)))


def serial_error(residuals: Floats, is_neighbour: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Return the standard error widened for neighbours that resemble each other, and their autocorrelation."""
    rho = autocorrelation(residuals, is_neighbour)
    return _stretch(rho) * cluster_error(residuals), rho


def effective_samples(samples: float, error: float, independent_variance: float) -> float:
    """Return how many independent requests would have the same error; never more than there were.

    The requests over the design effect ``error^2 / independent_variance``.

    Source: Kish 1965, section 8.2, ISBN 978-0-471-10949-5.
    """
    return samples * min(1.0, independent_variance / error**2) if error > 0 else samples


def _distance(is_beyond: Callable[[float], bool]) -> float:
    """Return the smallest distance that is beyond a bound, found by doubling and then halving; infinite if none is."""
    inside, outside = 0.0, _FIRST_STEP
    for _ in range(_DOUBLINGS):
        if is_beyond(outside):
            break
        inside, outside = outside, 2 * outside
    else:
        return math.inf
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        if is_beyond(middle):
            outside = middle
        else:
            inside = middle
    return outside


def _stretch(rho: float) -> float:
    return math.sqrt((1 + rho) / (1 - rho))


def _median_of_sorted(values: Floats) -> float:
    middle = len(values) // 2
    return float(values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2)
