"""Cut the rounds of a duet into short blocks of time, so that baseline and candidate pair up second by second."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from tailgate.compare_values import Arm, BlockCounts, CompareSettings, Floats, Indices
from tailgate.model import Window


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Blocks:
    """Stretches of time, none of which reaches over the end of a round; columns of shape ``(blocks,)``."""

    start_s: Floats
    end_s: Floats
    round_index: Indices

    def __len__(self) -> int:
        return len(self.start_s)

    def index_of(self, time_s: Floats) -> Indices:
        """Return the block of each time, shape ``(samples,)``; -1 for what is in none."""
        index = np.searchsorted(self.start_s, time_s, side="right") - 1
        is_inside = (index >= 0) & (time_s < self.end_s[index]) if len(self) else np.zeros(len(time_s), dtype=bool)
        return np.where(is_inside, index, -1).astype(np.int64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pairs:
    """The logarithms of latency of both arms, each with the pair of blocks that it belongs to."""

    base_log: Floats
    candidate_log: Floats
    base_block: Indices
    candidate_block: Indices
    round_index: Indices
    """The round of each pair, shape ``(blocks,)``."""
    is_neighbour: npt.NDArray[np.bool_]
    """Whether each pair but the last is directly followed by the next in the same round, shape ``(blocks - 1,)``."""
    dropped: int
    block_s: float

    @property
    def count(self) -> int:
        """How many pairs there are."""
        return len(self.round_index)

    def differences(self, q: float) -> Floats:
        """Return, for each pair, the logarithm of the candidate's ``q`` quantile over the baseline's."""
        base = quantile_by_block(self.base_log, self.base_block, self.count, q)
        return quantile_by_block(self.candidate_log, self.candidate_block, self.count, q) - base


def cut_blocks(rounds: Sequence[Window], length_s: float) -> Blocks:
    """Return the blocks of the rounds: in each round as many equal ones as fit, at least one.

    Args:
        rounds: In order of time, not overlapping, warm-up left out.
        length_s: The shortest that a block may be, unless its round is shorter.

    Raises:
        ValueError: Rounds that overlap or are not in order.
    """
    if any(later.start_s < earlier.end_s for earlier, later in pairwise(rounds)):
        raise ValueError("the rounds of a comparison must be in order of time and must not overlap")
    starts, ends, owners = [np.empty(0)], [np.empty(0)], [np.empty(0, dtype=np.int64)]
    for number, part in enumerate(rounds):
        if part.duration_s <= 0:
            continue
        # The tolerance keeps a round of 30 s, told by floats, from losing a block of 1 s.
        count = max(1, math.floor(part.duration_s / length_s + 1e-6))
        edges = np.linspace(part.start_s, part.end_s, count + 1)
        starts.append(edges[:-1])
        ends.append(edges[1:])
        owners.append(np.full(count, number))
    return Blocks(start_s=np.concatenate(starts), end_s=np.concatenate(ends), round_index=np.concatenate(owners))


def block_length_s(samples: int, duration_s: float, wanted: int) -> float:
    """Return the whole number of seconds in which ``wanted`` samples arrive, at least 1.

    One second is long enough for noise of half a second to average out, and short enough for the two arms of a block
    to share what slower noise does to them.
    """
    return float(max(1, math.ceil(wanted * duration_s / samples))) if samples else 1.0


def pair_up(
    base: Arm, candidate: Arm, *, rounds: Sequence[Window], timeout_ms: float, settings: CompareSettings
) -> Pairs:
    """Return the pairs of blocks in which each arm has at least half of the samples that a block should have."""
    whole = cut_blocks(rounds, math.inf)
    fewest = min(np.count_nonzero(whole.index_of(arm.scheduled_s) >= 0) for arm in (base, candidate))
    length_s = block_length_s(int(fewest), sum(part.duration_s for part in rounds), settings.block_samples)
    blocks = cut_blocks(rounds, length_s)
    indices = [blocks.index_of(arm.scheduled_s) for arm in (base, candidate)]
    counts = np.array([np.bincount(index[index >= 0], minlength=len(blocks)) for index in indices])
    is_kept = (counts >= settings.block_samples / 2).all(axis=0)
    kept, round_index = np.flatnonzero(is_kept), blocks.round_index[is_kept]
    # One more place, for what is in no block: an index of -1 is the last.
    renumbered = np.append(np.where(is_kept, np.cumsum(is_kept) - 1, -1), -1)
    new = [renumbered[index] for index in indices]
    logs = [np.log(arm.charged_ms(timeout_ms)) for arm in (base, candidate)]
    return Pairs(
        base_log=logs[0][new[0] >= 0],
        candidate_log=logs[1][new[1] >= 0],
        base_block=new[0][new[0] >= 0],
        candidate_block=new[1][new[1] >= 0],
        round_index=round_index,
        is_neighbour=(np.diff(kept) == 1) & (np.diff(round_index) == 0),
        dropped=len(blocks) - len(kept),
        block_s=length_s,
    )


def quantile_by_block(values: Floats, block: Indices, count: int, q: float) -> Floats:
    """Return the ``q`` quantile of the values of each block, linear between order statistics; shape ``(count,)``.

    Every block from 0 to ``count - 1`` must have a value.

    Source: Hyndman and Fan 1996, definition 7 (NumPy's default), https://doi.org/10.1080/00031305.1996.10473566.
    """
    in_order = values[np.lexsort((values, block))]
    sizes = np.bincount(block, minlength=count)
    position = (sizes - 1) * q
    below = np.floor(position).astype(np.int64)
    first = np.cumsum(sizes) - sizes
    low, high = in_order[first + below], in_order[first + np.minimum(below + 1, sizes - 1)]
    quantiles: Floats = low + (high - low) * (position - below)
    return quantiles


def count_failures(base: Arm, candidate: Arm, rounds: Sequence[Window], *, length_s: float = 1.0) -> BlockCounts:
    """Return the failures and requests of each arm, block by block."""
    blocks = cut_blocks(rounds, length_s)
    failures, requests = [], []
    for arm in (base, candidate):
        index = blocks.index_of(arm.scheduled_s)
        requests.append(np.bincount(index[index >= 0], minlength=len(blocks)).astype(np.float64))
        failed = index[(index >= 0) & arm.is_failure]
        failures.append(np.bincount(failed, minlength=len(blocks)).astype(np.float64))
    return BlockCounts(
        base=failures[0],
        candidate=failures[1],
        base_requests=requests[0],
        candidate_requests=requests[1],
        round_index=blocks.round_index,
    )
