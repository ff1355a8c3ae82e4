"""How long requests took, as values or as histograms: one way to ask both."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import numpy as np
import numpy.typing as npt

from tailgate.percentiles import Latencies, NoSamples, percentile

ERROR_RATIO = 2.0**-11
"""How far a latency that comes from a histogram may be off: 0.05 % of it, so that three digits of it are right."""
BUCKETS = 2**16
_DROPPED_BITS = 13
"""Of the 23 bits behind the point of a 32-bit float ten are kept: 1,024 buckets from each power of two to the next."""
_LOWEST = (127 - 24) << (23 - _DROPPED_BITS)
"""Bucket 0, which stands for 0 ms, ends at 2**-24 ms; the last one, after 64 powers of two, at 2**40 ms."""
_LONGEST_MS = 2.0**39

Buckets = npt.NDArray[np.uint16]


class Distribution(Protocol):
    """Latencies in ms, of one request name or of all, in any order."""

    @property
    def count(self) -> int:
        """How many."""
        ...  # pragma: no cover

    @property
    def mean_ms(self) -> float:
        """Their mean; there must be some."""
        ...  # pragma: no cover

    @property
    def max_ms(self) -> float:
        """The longest; there must be some."""
        ...  # pragma: no cover

    def percentile(self, q: Fraction) -> float:
        """Return the smallest latency that at least ``q`` of them do not exceed; see ``percentiles.percentile``."""
        ...  # pragma: no cover


@dataclass(frozen=True, slots=True)
class ExactLatencies:
    """Every latency as it was measured."""

    values_ms: Latencies
    """Put into another order by ``percentile``."""

    @property
    def count(self) -> int:
        """How many."""
        return self.values_ms.size

    @property
    def mean_ms(self) -> float:
        """Their mean."""
        return float(self.values_ms.mean())

    @property
    def max_ms(self) -> float:
        """The longest."""
        return float(self.values_ms.max())

    def percentile(self, q: Fraction) -> float:
        """Return the ceil(q * n)-th smallest."""
        return percentile(self.values_ms, q, overwrite_input=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedLatencies:
    """A histogram of latencies: mean and longest are exact, percentiles are off by ``ERROR_RATIO`` at most."""

    counts: npt.NDArray[np.int64]
    """How many are in each bucket, shape ``(BUCKETS,)``."""
    sum_ms: float
    longest_ms: float

    @property
    def count(self) -> int:
        """How many."""
        return int(self.counts.sum())

    @property
    def mean_ms(self) -> float:
        """Their mean."""
        return self.sum_ms / self.count

    @property
    def max_ms(self) -> float:
        """The longest."""
        return self.longest_ms

    def percentile(self, q: Fraction) -> float:
        """Return the middle of the bucket that holds the ceil(q * n)-th smallest.

        Raises:
            NoSamples: There are none.
        """
        if not self.count:
            raise NoSamples("a percentile of no samples does not exist")
        rank = max(1, math.ceil(q * self.count))
        bucket = int(np.searchsorted(np.cumsum(self.counts), rank))
        return min(float(middles_ms(np.array([bucket], dtype=np.uint16))[0]), self.longest_ms)


def buckets_of(latencies_ms: Latencies) -> Buckets:
    """Return the bucket of each latency: the ten bits that follow its first one, and its power of two.

    The buckets of an HdrHistogram with 2,048 sub-buckets, which has three significant digits; rounded, not cut off.

    Source: Tene, HdrHistogram, https://hdrhistogram.github.io/HdrHistogram/.
    """
    bits = np.clip(latencies_ms, 0.0, _LONGEST_MS).astype(np.float32).view(np.int32)
    rounded = (bits + (1 << (_DROPPED_BITS - 1))) >> _DROPPED_BITS
    buckets: Buckets = np.clip(rounded - _LOWEST, 0, BUCKETS - 1).astype(np.uint16)
    return buckets


def middles_ms(buckets: Buckets) -> Latencies:
    """Return the latency that each bucket stands for."""
    bits = (buckets.astype(np.int32) + _LOWEST) << _DROPPED_BITS
    return np.where(buckets == 0, 0.0, bits.view(np.float32).astype(np.float64))


def first_bucket_beyond(limit_ms: float) -> int:
    """Return the lowest bucket that stands for more than ``limit_ms``."""
    return int(np.searchsorted(middles_ms(np.arange(BUCKETS, dtype=np.uint16)), limit_ms, side="right"))
