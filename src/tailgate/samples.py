"""Every request of a run, recorded exactly, in compact columns."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

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
    """Requests of a run or of a part of it; all columns have the shape ``(samples,)``.

    One sample takes 21 bytes. ``SampleLog`` hands samples over in the order in which they started, so that a window
    is one stretch of them, which is looked at and not copied.
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
    number: npt.NDArray[np.int64] | None = None
    """By which servers tell of a request, 0 for none; None unless the run asked for that."""
    tiers: tuple[str, ...] = ()
    """Where requests spend their time, from the generator to the last server; empty where no server told."""
    tier_ms: npt.NDArray[np.float32] | None = None
    """Time in each of ``tiers``, shape ``(tiers, samples)``; NaN for a request that no server told of."""

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
        """Latencies of the successes: a copy, which may be put into another order."""
        return self.latency_ms[self.is_success]

    @property
    def present_keys(self) -> tuple[str, ...]:
        """The keys that have samples, in alphabetical order."""
        return tuple(sorted(self.keys[index] for index in np.flatnonzero(np.bincount(self.key_index))))

    def select(self, mask: npt.NDArray[np.bool_]) -> Samples:
        """Return the samples where ``mask``, shape ``(samples,)``, is true; one stretch of them is not copied."""
        chosen = _stretch_or_mask(mask)
        return Samples(
            keys=self.keys,
            key_index=self.key_index[chosen],
            start_s=self.start_s[chosen],
            latency_ms=self.latency_ms[chosen],
            outcome=self.outcome[chosen],
            number=None if self.number is None else self.number[chosen],
            tiers=self.tiers,
            tier_ms=None if self.tier_ms is None else self.tier_ms[:, chosen],
        )

    def within(self, window: Window) -> Samples:
        """Return the samples that started in ``window``."""
        return self.select((self.start_s >= window.start_s) & (self.start_s < window.end_s))

    def by_key(self) -> Iterator[tuple[str, Samples]]:
        """Yield each key that has samples, in alphabetical order, with those samples."""
        for key in self.present_keys:
            yield key, self.of_key(key)

    def of_key(self, key: str) -> Samples:
        """Return the samples of one of ``keys``."""
        return self.select(self.key_index == self.keys.index(key))


def _stretch_or_mask(mask: npt.NDArray[np.bool_]) -> slice | npt.NDArray[np.bool_]:
    """Return a slice where ``mask`` is true for one unbroken stretch: NumPy copies what a mask selects, not a slice."""
    count = int(np.count_nonzero(mask))
    first = int(mask.argmax()) if count else 0
    return slice(first, first + count) if mask[first : first + count].all() else mask


class SampleLog:
    """Collects samples while a run goes on; appending is all that happens per request."""

    def __init__(self, *, is_numbered: bool = False) -> None:
        self._index_by_key: dict[tuple[str, str], int] = {}
        self._key_index = array("i")
        self._start_s = array("d")
        self._latency_ms = array("d")
        self._outcome = array("B")
        self._number = array("q") if is_numbered else None
        self.failures = 0

    def __len__(self) -> int:
        return len(self._start_s)

    def add(  # noqa: PLR0917 - called for each request, where names cost time
        self, method: str, name: str, start_s: float, latency_ms: float, outcome: int, number: int = 0
    ) -> None:
        """Record one request; ``start_s`` counts from the beginning of the run."""
        key = (method, name)
        index = self._index_by_key.get(key)
        if index is None:
            index = self._index_by_key[key] = len(self._index_by_key)
        self._key_index.append(index)
        self._start_s.append(start_s)
        self._latency_ms.append(latency_ms)
        self._outcome.append(outcome)
        if self._number is not None:
            self._number.append(number)
        if outcome:
            self.failures += 1

    def freeze(self) -> Samples:
        """Return everything recorded so far, copied, so that recording may go on."""
        return self._sorted_samples({name: np.array(column) for name, column in self._columns.items()})

    def finish(self) -> Samples:
        """Return everything recorded, without a copy; from now on adding raises ``BufferError``."""
        return self._sorted_samples({name: np.asarray(column) for name, column in self._columns.items()})

    @property
    def _columns(self) -> dict[str, array[Any]]:
        """What is recorded, by the field of ``Samples``."""
        columns: dict[str, array[Any]] = {
            "key_index": self._key_index,
            "start_s": self._start_s,
            "latency_ms": self._latency_ms,
            "outcome": self._outcome,
        }
        return columns if self._number is None else {**columns, "number": self._number}

    def _sorted_samples(self, columns: Mapping[str, Any]) -> Samples:
        """Put the columns, which are in the order of the ends, into the order of the starts, in place."""
        order = np.argsort(columns["start_s"], kind="stable")
        for column in columns.values():
            # Four bytes of each number at a time, because NumPy makes a copy of what is moved.
            word = np.uint8 if column.itemsize == 1 else np.uint32
            for part in column.view(word).reshape(len(column), column.itemsize // word().itemsize).T:
                part[:] = part[order]
        return Samples(keys=tuple(f"{method} {name}" for method, name in self._index_by_key), **columns)

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
