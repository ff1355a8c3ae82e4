"""Percentiles by nearest rank, and how many samples one needs."""

from __future__ import annotations

import math
import re
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from tailgate.errors import TailgateError

_PERCENTILE_METRIC = re.compile(r"p(\d{1,2}(?:\.\d{1,6})?)_ms")

Latencies = npt.NDArray[np.float64]
"""Milliseconds, shape ``(samples,)``."""


class NoSamples(TailgateError):
    """A statistic was asked of nothing."""


def quantile_of(metric: str) -> Fraction | None:
    """Return the exact quantile that a metric such as ``p99.9_ms`` asks for; None for any other metric."""
    match = _PERCENTILE_METRIC.fullmatch(metric)
    if match is None:
        return None
    q = Fraction(match[1]) / 100
    return q if 0 < q < 1 else None


def percentile(latencies_ms: Latencies, q: Fraction, *, overwrite_input: bool = False) -> float:
    """Return the smallest latency that at least ``q`` of the samples do not exceed.

    The ceil(q * n)-th smallest value (nearest rank), so it is always a latency that was measured.

    Args:
        latencies_ms: Latencies of one request name in one window, shape ``(samples,)``, any order.
        q: Quantile in (0, 1], exact: ``ceil(0.07 * 100)`` is 8 in floats.
        overwrite_input: Put ``latencies_ms`` into another order rather than copy it.

    Returns:
        Milliseconds.

    Raises:
        NoSamples: The array is empty.

    Source: Hyndman and Fan 1996, definition 1, https://doi.org/10.1080/00031305.1996.10473566.
    """
    if not latencies_ms.size:
        raise NoSamples("a percentile of no samples does not exist")
    rank = max(1, math.ceil(q * latencies_ms.size))
    ordered = latencies_ms if overwrite_input else latencies_ms.copy()
    ordered.partition(rank - 1)
    return float(ordered[rank - 1])


def required_samples(q: Fraction) -> int:
    """Return how many samples a percentile needs before anything can be said against it.

    The smallest n for which the largest of n independent samples lies above the true quantile with a probability of
    95 %, that is ``1 - q**n >= 0.95``: 59 for p95, 299 for p99. With fewer the upper confidence bound of the
    percentile does not exist.

    Source: Wilks 1941, https://doi.org/10.1214/aoms/1177731788.
    """
    return math.ceil(math.log(0.05) / math.log(q))
