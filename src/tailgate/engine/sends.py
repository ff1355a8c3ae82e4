"""When the tasks of the open model sent their first requests, and how late, in bounded memory."""

from __future__ import annotations

import math
from array import array

import numpy as np
import numpy.typing as npt

from tailgate.dispersion import count_sends
from tailgate.distributions import BUCKETS, CountedLatencies, Distribution, ExactLatencies, buckets_of

MOST_EXACT = 1_000_000
"""Sends that are kept one by one, which takes 16 MB; of more than that their lateness is known to three digits."""


class Sends:
    """The first request of each task: when it was really sent, and how late that was."""

    def __init__(self) -> None:
        self._sent_s = array("d")
        self._lags_ms = array("d")
        self._is_counted = False
        self._counts = np.zeros(0, dtype=np.int64)
        self._buckets = np.zeros(BUCKETS, dtype=np.int64)
        self._longest_ms = 0.0

    def add(self, sent_s: float, lag_ms: float) -> None:
        """Note one; ``sent_s`` counts from the beginning of the run."""
        self._sent_s.append(sent_s)
        self._lags_ms.append(lag_ms)

    def drain(self) -> tuple[bytes, bytes]:
        """Give those away that are kept one by one: when they were sent, and how late."""
        drained = self._sent_s.tobytes(), self._lags_ms.tobytes()
        del self._sent_s[:], self._lags_ms[:]
        return drained

    def extend(self, sent_s: bytes, lags_ms: bytes) -> None:
        """Note what others drained."""
        self._sent_s.frombytes(sent_s)
        self._lags_ms.frombytes(lags_ms)

    def fold(self) -> None:
        """Count those that are kept one by one, once there are too many."""
        self._is_counted = self._is_counted or len(self._lags_ms) > MOST_EXACT
        if not self._is_counted:
            return
        lags_ms = np.array(self._lags_ms)
        self._counts = self.counts
        self._buckets += np.bincount(buckets_of(lags_ms), minlength=BUCKETS)
        self._longest_ms = max(self._longest_ms, float(lags_ms.max(initial=0.0)))
        del self._sent_s[:], self._lags_ms[:]

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """How many were sent in each 10 ms of the run, shape ``(bins,)``."""
        counts = count_sends(np.array(self._sent_s))
        counts.resize(max(len(counts), len(self._counts)), refcheck=False)
        counts[: len(self._counts)] += self._counts
        return counts

    @property
    def lags_ms(self) -> Distribution:
        """How late they were."""
        self.fold()
        if not self._is_counted:
            return ExactLatencies(np.array(self._lags_ms))
        # Their mean is not asked for.
        return CountedLatencies(counts=self._buckets, sum_ms=math.nan, longest_ms=self._longest_ms)
