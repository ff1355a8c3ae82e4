"""The requests of a long run, second by second in histograms of three significant digits."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from tailgate.dispersion import bins_of
from tailgate.distributions import BUCKETS, Buckets, CountedLatencies, buckets_of, first_bucket_beyond
from tailgate.model import Window
from tailgate.outcomes import Outcome

_OUTCOMES = len(Outcome)
_AT_ONCE = 1_000_000
"""Requests that are looked at together, so that no step takes more than some 20 MB beside what is kept."""

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocks:
    """Histograms of one second, one request key and one outcome each; all columns have the shape ``(blocks,)``.

    A request that ended late has a block of its own beside that of its second, so several may be of the same.
    """

    second: Counts
    """Whole seconds from the beginning of the run to the starts of the requests."""
    key_index: npt.NDArray[np.int32]
    outcome: npt.NDArray[np.uint8]
    """Values of ``Outcome``."""
    first: Counts
    """Where the buckets of the block begin."""
    count: Counts
    """How many requests it has."""
    sum_ms: Floats
    """Of their latencies, exact."""
    longest_ms: Floats
    """The longest of their latencies, exact."""

    def __len__(self) -> int:
        return len(self.second)

    def select(self, chosen: npt.NDArray[np.bool_] | npt.NDArray[np.int64] | slice) -> Blocks:
        """Return some of the blocks."""
        return replace(self, **{field.name: getattr(self, field.name)[chosen] for field in fields(self)})


class Histograms:
    """Requests of a run or of a part of it, counted; what ``Samples`` says exactly, this says to three digits.

    A histogram is the list of its buckets, in which one that holds n requests stands n times: 2 bytes a request. At
    the rates of one machine that is less than pairs of bucket and count, since with three digits hardly two requests
    of a second and name share a bucket. How many failed, means and longest latencies are exact; percentiles are off by
    ``ERROR_RATIO`` at most. When a request started is known to the second, so windows are cut at whole seconds.
    """

    def __init__(self, keys: tuple[str, ...], blocks: Blocks, buckets: Buckets, starts: Counts) -> None:
        """Take the values over.

        Args:
            keys: Request keys, method and name: ``GET Get_All_Products``.
            blocks: In the order of their seconds.
            buckets: What the blocks point into, shape ``(requests,)`` or longer.
            starts: How many requests started in each 10 ms of the whole run, shape ``(bins,)``.
        """
        self.keys = keys
        self.starts = starts
        self._blocks = blocks
        self._buckets = buckets

    def __len__(self) -> int:
        return int(self._blocks.count.sum())

    @property
    def failures(self) -> int:
        """How many failed, censored ones included."""
        return int(self._blocks.count[self._blocks.outcome != Outcome.SUCCESS].sum())

    @property
    def censored(self) -> int:
        """How many were still running when the run ended."""
        return int(self._blocks.count[self._blocks.outcome == Outcome.CENSORED].sum())

    @property
    def longest_censored_ms(self) -> float:
        """How long the oldest of them had been running; 0 if there is none."""
        return float(self._blocks.longest_ms[self._blocks.outcome == Outcome.CENSORED].max(initial=0.0))

    @property
    def present_keys(self) -> tuple[str, ...]:
        """The keys that have requests, in alphabetical order."""
        return tuple(sorted(self.keys[index] for index in np.unique(self._blocks.key_index)))

    @cached_property
    def successes(self) -> CountedLatencies:
        """Latencies of the successes."""
        blocks = self._blocks.select(self._blocks.outcome == Outcome.SUCCESS)
        counts = np.zeros(BUCKETS, dtype=np.int64)
        for buckets, _ in self._parts(blocks):
            counts += np.bincount(buckets, minlength=BUCKETS)
        return CountedLatencies(
            counts=counts, sum_ms=float(blocks.sum_ms.sum()), longest_ms=float(blocks.longest_ms.max(initial=0.0))
        )

    def within(self, window: Window) -> Histograms:
        """Return the requests of ``window``, its edges moved to the nearest whole second."""
        middle_s = self._blocks.second + 0.5
        return self._select((middle_s >= window.start_s) & (middle_s < window.end_s))

    def by_key(self) -> Iterator[tuple[str, Histograms]]:
        """Yield each key that has requests, in alphabetical order, with those requests."""
        for key in self.present_keys:
            yield key, self.of_key(key)

    def of_key(self, key: str) -> Histograms:
        """Return the requests of one of ``keys``."""
        return self._select(self._blocks.key_index == self.keys.index(key))

    def split(self, edges_s: Sequence[float] | Floats) -> list[Histograms]:
        """Return the requests before, between and after ascending times, each moved to the nearest whole second."""
        edges = [0, *np.searchsorted(self._blocks.second + 0.5, edges_s).tolist(), len(self._blocks)]
        return [self._select(slice(first, last)) for first, last in pairwise(edges)]

    def count_between(self, edges_s: Floats) -> tuple[Counts, Counts]:
        """Return how many requests started between ascending times, and how many of them failed."""
        is_failure = self._blocks.outcome != Outcome.SUCCESS
        failed = np.where(is_failure, self._blocks.count, 0)
        return self._sum_between(self._blocks.count, edges_s), self._sum_between(failed, edges_s)

    def count_slower(self, limit_ms: float, edges_s: Floats) -> Counts:
        """Return how many successes between ascending times took longer than ``limit_ms``."""
        bucket = first_bucket_beyond(limit_ms)
        slower = [np.empty(0, dtype=np.int64)]
        for buckets, blocks in self._parts(self._blocks):
            firsts = np.cumsum(blocks.count) - blocks.count
            counts = np.add.reduceat(buckets >= bucket, firsts, dtype=np.int64)
            slower.append(np.where(blocks.outcome == Outcome.SUCCESS, counts, 0))
        return self._sum_between(np.concatenate(slower), edges_s)

    def _sum_between(self, amounts: Counts, edges_s: Floats) -> Counts:
        so_far = np.concatenate([[0], np.cumsum(amounts)])
        return np.diff(so_far[np.searchsorted(self._blocks.second + 0.5, edges_s)])

    def _parts(self, blocks: Blocks) -> Iterator[tuple[Buckets, Blocks]]:
        """Yield the buckets of some blocks, all those of a block together, and those blocks."""
        ends = np.cumsum(blocks.count)
        first = 0
        while first < len(blocks):
            done = int(ends[first - 1]) if first else 0
            last = max(first + 1, int(np.searchsorted(ends, done + _AT_ONCE, side="right")))
            part = blocks.select(slice(first, last))
            begins = np.repeat(part.first - (ends[first:last] - part.count - done), part.count)
            yield self._buckets[begins + np.arange(len(begins))], part
            first = last

    def _select(self, chosen: npt.NDArray[np.bool_] | slice) -> Histograms:
        return Histograms(self.keys, self._blocks.select(chosen), self._buckets, self.starts)


def with_each_key_once(
    keys: tuple[str, ...], key_index: npt.NDArray[np.int32]
) -> tuple[tuple[str, ...], npt.NDArray[np.int32]]:
    """Return keys of which none is there twice, and where they then are.

    Two pairs of method and name may be the same key: ``A B`` with ``C``, and ``A`` with ``B C``.
    """
    place: dict[str, int] = {}
    places = np.array([place.setdefault(key, len(place)) for key in keys], dtype=np.int32)
    return (keys, key_index) if len(place) == len(keys) else (tuple(place), places[key_index])


class HistogramLog:
    """Folds requests into histograms, some thousands at a time."""

    def __init__(self) -> None:
        self._buckets = array("H")
        self._pieces: list[Blocks] = []
        self._starts = np.zeros(0, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._buckets)

    def add(
        self,
        key_index: npt.NDArray[np.int32],
        start_s: Floats,
        latency_ms: Floats,
        outcome: npt.NDArray[np.uint8],
    ) -> None:
        """Count some requests, in any order; the columns are those of ``Samples``."""
        if not len(start_s):
            return
        second = np.floor(start_s).astype(np.int64)
        group = (second * (int(key_index.max()) + 1) + key_index) * _OUTCOMES + outcome
        order = np.argsort(group, kind="stable")
        first = np.flatnonzero(np.diff(group[order], prepend=group[order[0]] - 1))
        one, latency_ms = order[first], latency_ms[order]
        self._pieces.append(
            Blocks(
                second=second[one],
                key_index=key_index[one],
                outcome=outcome[one],
                first=first + len(self._buckets),
                count=np.diff(first, append=len(order)),
                sum_ms=np.add.reduceat(latency_ms, first),
                longest_ms=np.maximum.reduceat(latency_ms, first),
            )
        )
        self._buckets.frombytes(buckets_of(latency_ms).tobytes())
        self._count_starts(bins_of(start_s))

    def _count_starts(self, bins: npt.NDArray[np.int64]) -> None:
        missing = int(bins.max(initial=-1)) + 1 - len(self._starts)
        if missing > 0:
            room = np.zeros(max(missing, len(self._starts) // 8), dtype=np.int64)
            self._starts = np.concatenate([self._starts, room])
        np.add.at(self._starts, bins, 1)

    def count_since(self, start_s: float) -> tuple[int, int]:
        """Return how many requests started in the second nearest to ``start_s`` or later, and how many failed."""
        counts = failures = 0
        for piece in self._pieces:
            is_later = piece.second + 0.5 >= start_s
            counts += int(piece.count[is_later].sum())
            failures += int(piece.count[is_later & (piece.outcome != Outcome.SUCCESS)].sum())
        return counts, failures

    def freeze(self, keys: tuple[str, ...]) -> Histograms:
        """Return everything counted so far, copied, so that counting may go on."""
        return self._histograms(keys, np.array(self._buckets), self._starts.copy())

    def finish(self, keys: tuple[str, ...]) -> Histograms:
        """Return everything counted, without a copy."""
        return self._histograms(keys, np.asarray(self._buckets), self._starts)

    def _histograms(self, keys: tuple[str, ...], buckets: Buckets, starts: Counts) -> Histograms:
        names = [field.name for field in fields(Blocks)]
        columns = {name: np.concatenate([getattr(piece, name) for piece in self._pieces]) for name in names}
        keys, columns["key_index"] = with_each_key_once(keys, columns["key_index"])
        blocks = Blocks(**columns)
        return Histograms(keys, blocks.select(np.argsort(blocks.second, kind="stable")), buckets, starts)
