"""Quantiles of the normal, Student's and beta distributions, without SciPy."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from statistics import NormalDist

_POWER_Z = 0.84
"""Normal quantile of a power of 80 %."""
_SMALLEST = 1e-300
"""Stands for zero in Lentz's method, which divides by it."""


def normal_quantile(level: float) -> float:
    """Return the z that a standard normal variable exceeds with probability ``level``, in (0, 1)."""
    return NormalDist().inv_cdf(1 - level)


@lru_cache(maxsize=256)
def student_quantile(level: float, freedom: int) -> float:
    """Return the t that Student's variable with ``freedom`` degrees exceeds with probability ``level``, in (0, 0.5).

    From P(T > t) = I_x(freedom / 2, 1 / 2) / 2 with x = freedom / (freedom + t^2).

    Source: Abramowitz and Stegun 1964, 26.5.27 and 26.7.1.
    """
    x = beta_quantile(2 * level, freedom / 2, 0.5)
    return math.sqrt(freedom * (1 - x) / x)


def student_tails(t: float, freedom: int) -> float:
    """Return the probability that Student's variable with ``freedom`` degrees is at least ``|t|`` away from 0.

    Source: Abramowitz and Stegun 1964, 26.5.27 and 26.7.1.
    """
    return incomplete_beta(freedom / (freedom + t * t), freedom / 2, 0.5)


def beta_quantile(probability: float, a: float, b: float) -> float:
    """Return the x that a beta variable with the shapes ``a`` and ``b`` stays below with ``probability``."""
    return _bisect(lambda x: incomplete_beta(x, a, b) < probability)


def incomplete_beta(x: float, a: float, b: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b) for x in [0, 1], a > 0 and b > 0.

    By its continued fraction, which converges quickly for x below (a + 1) / (a + b + 2); above it the symmetry
    I_x(a, b) = 1 - I_1-x(b, a) is used.

    Source: NIST Digital Library of Mathematical Functions 8.17.22 and 8.17.4, https://dlmf.nist.gov/8.17.
    """
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - incomplete_beta(1 - x, b, a)
    log_beta = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    return math.exp(a * math.log(x) + b * math.log1p(-x) - log_beta) / (a * _fraction(x, a, b))


def _fraction(x: float, a: float, b: float) -> float:
    """Return the continued fraction 1 + d1/(1 + d2/(1 + ...)) of DLMF 8.17.22.

    By Lentz's method, https://doi.org/10.1364/AO.15.000668. It takes about the square root of ``a + b`` terms.
    """
    value, c, d = 1.0, 1.0, 0.0
    for n in range(1, 200 + 20 * math.isqrt(math.ceil(a + b))):
        m = n // 2
        if n % 2:
            term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1 / ((1 + term * d) or _SMALLEST)
        c = (1 + term / c) or _SMALLEST
        value *= c * d
        if abs(c * d - 1) < 1e-14:  # noqa: PLR2004 - next to what a float can tell
            return value
    raise ArithmeticError(f"the incomplete beta function did not converge at x={x}, a={a}, b={b}")


def reach_of_power(level: float) -> float:
    """Return how many times the way from an estimate to its bound at ``level`` a change needs beyond a limit.

    A change of the limit and that much more is proven to break it with a probability of 80 %: the way to the bound, and
    0.84 standard errors.
    """
    return 1 + _POWER_Z / normal_quantile(level)


def clopper_pearson(hits: float, trials: float, level: float) -> tuple[float, float]:
    """Return the exact interval of a binomial share, each end of which is wrong with probability at most ``level``.

    The ends are quantiles of beta distributions, which also exist for an effective, fractional number of trials.
    Without hits the lower end is 0 and the upper ``1 - level ** (1 / trials)``, about ``3 / trials`` for 5 %.

    Source: Clopper and Pearson 1934, https://doi.org/10.1093/biomet/26.4.404.
    """
    low = beta_quantile(level, hits, trials - hits + 1) if hits > 0 else 0.0
    high = beta_quantile(1 - level, hits + 1, trials - hits) if hits < trials else 1.0
    return low, high


def _bisect(is_below: Callable[[float], bool]) -> float:
    """Return where a predicate that is first true, then false, changes in (0, 1), to twelve digits."""
    low, high = 0.0, 1.0
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        if is_below(middle):
            low = middle
        else:
            high = middle
    return (low + high) / 2
