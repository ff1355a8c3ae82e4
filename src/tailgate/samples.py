"""Every request of a run, recorded exactly, in compact columns."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from tailgate.model import Window


class Outcome(IntEnum):
    """How a request ended."""

    SUCCESS = 0
    FAILURE = 1
    CENSORED = 2
    """Still running when the run ended: a failure that took at least its latency."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Requests in the order in which they ended; all columns have the shape ``(samples,)``.

    One sample takes 21 bytes.
    """

    keys: tuple[str, ...]
    """Request keys, method and name: ``GET Get_All_Products``."""
    key_index: npt.NDArray[np.int32]
    """Position of each sample's key in ``keys``."""
    start_s: npt.NDArray[np.float64]
    """Seconds from the beginning of the run to the start of the request."""
    latency_ms: npt.NDArray[np.float64]
    """Request start to last byte."""
    outcome: npt.NDArray[np.uint8]
    """Values of ``Outcome``."""

    def __len__(self) -> int:
        return len(self.start_s)

    @property
    def is_success(self) -> npt.NDArray[np.bool_]:
        """Mask of the samples that succeeded."""
        is_success: npt.NDArray[np.bool_] = self.outcome == Outcome.SUCCESS
        return is_success

    @property
    def failures(self) -> int:
        """How many failed, censored ones included."""
        return int(np.count_nonzero(self.outcome))

    @property
    def censored(self) -> int:
        """How many were still running when the run ended."""
        return int(np.count_nonzero(self.outcome == Outcome.CENSORED))

    @property
    def success_latencies_ms(self) -> npt.NDArray[np.float64]:
        """Latencies of the successes."""
        return self.latency_ms[self.is_success]

    def select(self, mask: npt.NDArray[np.bool_]) -> Samples:
        """Return the samples where ``mask``, shape ``(samples,)``, is true."""
        return Samples(
            keys=self.keys,
            key_index=self.key_index[mask],
            start_s=self.start_s[mask],
            latency_ms=self.latency_ms[mask],
            outcome=self.outcome[mask],
        )

    def within(self, window: Window) -> Samples:
        """Return the samples that started in ``window``."""
        return self.select((self.start_s >= window.start_s) & (self.start_s < window.end_s))

    def by_key(self) -> Iterator[tuple[str, Samples]]:
        """Yield each key that has samples, in alphabetical order, with those samples."""
        present = set(np.unique(self.key_index).tolist())
        for index, key in sorted(enumerate(self.keys), key=lambda item: item[1]):
            if index in present:
                yield key, self.select(self.key_index == index)


class SampleLog:
    """Collects samples while a run goes on; appending is all that happens per request."""

    def __init__(self) -> None:
        self._index_by_key: dict[tuple[str, str], int] = {}
        self._key_index = array("i")
        self._start_s = array("d")
        self._latency_ms = array("d")
        self._outcome = array("B")
        self.failures = 0

    def __len__(self) -> int:
        return len(self._start_s)

    def add(self, method: str, name: str, start_s: float, latency_ms: float, outcome: int) -> None:
        """Record one request; ``start_s`` counts from the beginning of the run."""
        key = (method, name)
        index = self._index_by_key.get(key)
        if index is None:
            index = self._index_by_key[key] = len(self._index_by_key)
        self._key_index.append(index)
        self._start_s.append(start_s)
        self._latency_ms.append(latency_ms)
        self._outcome.append(outcome)
        if outcome:
            self.failures += 1

    def freeze(self) -> Samples:
        """Return everything recorded so far, copied, so that recording may go on."""
        return Samples(
            keys=tuple(f"{method} {name}" for method, name in self._index_by_key),
            key_index=np.array(self._key_index, dtype=np.int32),
            start_s=np.array(self._start_s, dtype=np.float64),
            latency_ms=np.array(self._latency_ms, dtype=np.float64),
            outcome=np.array(self._outcome, dtype=np.uint8),
        )

    def count_since(self, start_s: float) -> tuple[int, int]:
        """Return how many requests started at ``start_s`` or later, and how many of them failed."""
        is_later = np.frombuffer(self._start_s, dtype=np.float64) >= start_s
        is_failed = np.frombuffer(self._outcome, dtype=np.uint8) > 0
        return int(np.count_nonzero(is_later)), int(np.count_nonzero(is_later & is_failed))

    def recent_latencies_ms(self, count: int) -> npt.NDArray[np.float64]:
        """Return the success latencies among the last ``count`` samples, for the live progress line."""
        latencies: npt.NDArray[np.float64] = np.array(self._latency_ms[-count:], dtype=np.float64)
        is_success: npt.NDArray[np.bool_] = np.array(self._outcome[-count:], dtype=np.uint8) == Outcome.SUCCESS
        return latencies[is_success]
