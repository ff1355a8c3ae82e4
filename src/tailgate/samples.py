"""Every request of a run, recorded exactly, in compact columns; of a long run in histograms."""

from __future__ import annotations

import math
from array import array
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from tailgate.dispersion import count_sends
from tailgate.distributions import ExactLatencies
from tailgate.histograms import HistogramLog, Histograms, with_each_key_once
from tailgate.model import Window
from tailgate.outcomes import Outcome

__all__ = ["MOST_EXACT", "Columns", "Measured", "Outcome", "SampleLog", "Samples", "exact"]

MOST_EXACT = 5_000_000
"""Requests that are kept one by one, which takes 105 MB; of a run that makes more, all are kept in histograms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Requests of a run or of a part of it; all columns have the shape ``(samples,)``.

    One sample takes 21 bytes. ``SampleLog`` hands samples over in the order in which they started, so that a window
    is one stretch of them, which is looked at and not copied.
    """

    keys: tuple[str, ...]
    """Request keys, method and name, each once: ``GET Get_All_Products``."""
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
    def longest_censored_ms(self) -> float:
        """How long the oldest of them had been running; 0 if there is none."""
        return float(self.latency_ms[self.outcome == Outcome.CENSORED].max(initial=0.0))

    @property
    def successes(self) -> ExactLatencies:
        """Latencies of the successes."""
        return ExactLatencies(self.success_latencies_ms)

    @property
    def starts(self) -> npt.NDArray[np.int64]:
        """How many requests started in each 10 ms of the run, shape ``(bins,)``."""
        return count_sends(self.start_s)

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
        return self._take(_stretch_or_mask(mask))

    def _take(self, chosen: slice | npt.NDArray[np.bool_]) -> Samples:
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

    def split(self, edges_s: Sequence[float] | npt.NDArray[np.float64]) -> list[Samples]:
        """Return the samples before, between and after ascending times; they are in the order of their starts."""
        edges = [0, *np.searchsorted(self.start_s, edges_s).tolist(), len(self)]
        return [self._take(slice(first, last)) for first, last in pairwise(edges)]

    def count_between(self, edges_s: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return how many requests started between ascending times, and how many of them failed."""
        return _count(self.start_s, edges_s), _count(self.start_s[~self.is_success], edges_s)

    def count_slower(self, limit_ms: float, edges_s: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """Return how many successes between ascending times took longer than ``limit_ms``."""
        return _count(self.start_s[(self.latency_ms > limit_ms) & self.is_success], edges_s)


Measured = Samples | Histograms
"""The requests of a run or of a part of it, either way; both can be asked the same questions."""


def exact(measured: Measured) -> Samples:
    """Return samples as they are.

    Raises:
        TypeError: They are histograms, where every request is needed by itself.
    """
    if not isinstance(measured, Samples):
        raise TypeError(f"only histograms are kept of {len(measured):,} requests, and every single one is needed")
    return measured


def _count(start_s: npt.NDArray[np.float64], edges_s: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return how many of the ascending times lie in each block: looked up, since a run may have millions of them."""
    return np.diff(np.searchsorted(start_s, edges_s))


def _stretch_or_mask(mask: npt.NDArray[np.bool_]) -> slice | npt.NDArray[np.bool_]:
    """Return a slice where ``mask`` is true for one unbroken stretch: NumPy copies what a mask selects, not a slice."""
    count = int(np.count_nonzero(mask))
    first = int(mask.argmax()) if count else 0
    return slice(first, first + count) if mask[first : first + count].all() else mask


Columns = dict[str, "array[Any]"]
"""Requests by the field of ``Samples``."""
_FOLDED_AT_ONCE = 30_000
"""Samples that are folded into histograms in one go, which takes a few milliseconds."""


class SampleLog:
    """Collects samples while a run goes on; appending is all that happens per request.

    ``seal``, called every few seconds, ends a piece of the log. Pieces are what is written to disk meanwhile, and what
    is folded into histograms once there are too many samples: some at a time, so that nothing is held up for long.
    """

    def __init__(self, *, is_numbered: bool = False, most_exact: float = MOST_EXACT) -> None:
        """Begin an empty log.

        Args:
            is_numbered: Keep the number of each request, by which servers tell of it.
            most_exact: Keep all samples in histograms as soon as there are more than this.
        """
        self._index_by_key: dict[tuple[str, str], int] = {}
        self._is_numbered = is_numbered
        self._most_exact = most_exact
        self._sealed = 0
        self._pieces: deque[Columns] = deque()
        self._unseen: list[Columns] = []
        self._last: Columns = {}
        self._histograms: HistogramLog | None = None
        self._begin_piece()
        self.failures = 0

    def _begin_piece(self) -> None:
        self._key_index = array("i")
        self._start_s = array("d")
        self._latency_ms = array("d")
        self._outcome = array("B")
        self._number = array("q") if self._is_numbered else None

    def __len__(self) -> int:
        return self._sealed + len(self._start_s)

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Methods and names seen so far, in the order in which ``key_index`` counts them."""
        return tuple(self._index_by_key)

    @property
    def keys(self) -> tuple[str, ...]:
        """The same as request keys, ``GET Get_All_Products``; two of them may be the same."""
        return tuple(f"{method} {name}" for method, name in self._index_by_key)

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

    def drain(self) -> dict[str, bytes]:
        """Give away what was recorded since the last call, by the field of ``Samples``, and forget it."""
        drained = {name: column.tobytes() for name, column in self._columns.items()}
        self._begin_piece()
        return drained

    def extend(self, pairs: Sequence[tuple[str, str]], columns: Mapping[str, bytes]) -> None:
        """Record many requests that another log recorded.

        Args:
            pairs: Methods and names, to which their ``key_index`` points.
            columns: By the field of ``Samples``, as the arrays of a piece have them.
        """
        places = [self._index_by_key.setdefault(pair, len(self._index_by_key)) for pair in pairs]
        theirs = np.frombuffer(columns["key_index"], dtype=np.int32)
        mine = {**columns, "key_index": np.array(places, dtype=np.int32)[theirs].tobytes()}
        for name, column in self._columns.items():
            column.frombytes(mine[name])
        self.failures += int(np.count_nonzero(np.frombuffer(columns["outcome"], dtype=np.uint8)))

    def seal(self) -> list[Columns]:
        """End a piece, and return all that ended since the last call: in the order of the ends, never changed again."""
        self._end_piece()
        self._fold(_FOLDED_AT_ONCE)
        pieces, self._unseen = self._unseen, []
        return pieces

    def _end_piece(self) -> None:
        if not self._start_s:
            return
        self._last = self._columns
        self._pieces.append(self._last)
        self._unseen.append(self._last)
        self._sealed += len(self._start_s)
        self._begin_piece()
        if self._histograms is None and self._sealed > self._most_exact:
            self._histograms = HistogramLog()

    def _fold(self, most: float) -> None:
        """Fold the oldest pieces into the histograms, if there are any: ``most`` samples, or a piece more."""
        while self._histograms is not None and self._pieces and most > 0:
            columns = _as_arrays(self._pieces.popleft())
            columns.pop("number", None)
            self._histograms.add(**columns)
            most -= len(columns["start_s"])

    def freeze(self) -> Measured:
        """Return everything recorded so far, copied, so that recording may go on."""
        self._end_piece()
        if self._histograms is not None:
            self._fold(math.inf)
            return self._histograms.freeze(self.keys)
        return self._samples([dict(piece) for piece in self._pieces])

    def finish(self) -> Measured:
        """Return everything recorded; from now on adding raises ``BufferError``."""
        self._end_piece()
        # An array that somebody looks at cannot grow.
        self._closed = [memoryview(column) for column in self._columns.values()]
        self._last = {}
        if self._histograms is not None:
            self._fold(math.inf)
            return self._histograms.finish(self.keys)
        pieces, self._pieces = list(self._pieces), deque()
        return self._samples(pieces)

    @property
    def _columns(self) -> Columns:
        """What is recorded since the last piece, by the field of ``Samples``."""
        columns: Columns = {
            "key_index": self._key_index,
            "start_s": self._start_s,
            "latency_ms": self._latency_ms,
            "outcome": self._outcome,
        }
        return columns if self._number is None else {**columns, "number": self._number}

    def _samples(self, pieces: Sequence[Columns]) -> Samples:
        """Join the pieces, which lose their columns, and put them into the order of the starts."""
        columns: dict[str, Any] = {}
        for name, empty in _as_arrays(self._columns).items():
            # One column after the other, so that there are never two of everything.
            parts = [np.frombuffer(piece.pop(name), dtype=empty.dtype) for piece in pieces]
            columns[name] = np.concatenate([empty, *parts])
        order = np.argsort(columns["start_s"], kind="stable")
        for column in columns.values():
            # Four bytes of each number at a time, because NumPy makes a copy of what is moved.
            word = np.uint8 if column.itemsize == 1 else np.uint32
            for part in column.view(word).reshape(len(column), column.itemsize // word().itemsize).T:
                part[:] = part[order]
        keys, columns["key_index"] = with_each_key_once(self.keys, columns["key_index"])
        return Samples(keys=keys, **columns)

    def count_since(self, start_s: float) -> tuple[int, int]:
        """Return how many requests started at ``start_s`` or later, and how many of them failed."""
        found = [_count_since(piece, start_s) for piece in (*self._pieces, self._columns)]
        if self._histograms is not None:
            found.append(self._histograms.count_since(start_s))
        return sum(count for count, _ in found), sum(failures for _, failures in found)

    def recent_latencies_ms(self, count: int) -> npt.NDArray[np.float64]:
        """Return the success latencies among the last ``count`` samples, for the live progress line."""
        parts = [_as_arrays(piece) for piece in (self._last, self._columns) if piece]
        latencies, outcomes = (
            np.concatenate([part[name][-count:] for part in parts])[-count:] for name in ("latency_ms", "outcome")
        )
        successes: npt.NDArray[np.float64] = latencies[outcomes == Outcome.SUCCESS]
        return successes


def _as_arrays(columns: Columns) -> dict[str, npt.NDArray[Any]]:
    """Return what can be computed with, without a copy."""
    return {name: np.frombuffer(column, dtype=column.typecode) for name, column in columns.items()}


def _count_since(columns: Columns, start_s: float) -> tuple[int, int]:
    arrays = _as_arrays(columns)
    is_later = arrays["start_s"] >= start_s
    return int(np.count_nonzero(is_later)), int(np.count_nonzero(is_later & (arrays["outcome"] > 0)))
