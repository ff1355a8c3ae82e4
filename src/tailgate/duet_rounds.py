"""The rounds of a duet as values, and all of them laid one after the other on one clock."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tailgate.checks import matching_keys
from tailgate.compare_values import Arm, BlockCounts, Floats
from tailgate.duet_join import renumber
from tailgate.model import TOTAL, RegressionRule, Window, match_name
from tailgate.run import RunResult
from tailgate.samples import Samples, exact
from tailgate.windows import after_warmup

BASELINE, CANDIDATE = "baseline", "candidate"
_GAP_S = 10.0
"""Between rounds on the clock of all rounds; any length above 0 keeps their blocks apart."""
_SHORTEST_MS = 0.001
"""What a latency of 0 counts as, which a coarse clock may report and which has no logarithm."""
_TOLERANCE_S = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A look at one arm during a round, every few seconds, the first at its beginning and the last at its end."""

    at_s: float
    """Seconds since the round began."""
    cpu_s: float | None
    """Processor time of the arm's service processes since they were started; None where it cannot be read."""
    counters: Mapping[str, float]
    """What the users of the arm had counted by then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmRound:
    """What one build did in one round."""

    run: RunResult
    marks: tuple[Mark, ...]
    """In order of time; those of both arms are taken together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One play of the shape, with both arms loaded at once."""

    base: ArmRound
    candidate: ArmRound

    @property
    def arms(self) -> tuple[ArmRound, ArmRound]:
        """Baseline and candidate."""
        return self.base, self.candidate

    @property
    def duration_s(self) -> float:
        """How long both arms were loaded."""
        return min(arm.run.duration_s for arm in self.arms)


def inject(played: Round, ratio: float) -> Round:
    """Return a round whose candidate was slower by a ratio, exactly: each latency times ``1 + ratio``."""
    run = played.candidate.run
    measured = exact(run.samples)
    samples = replace(measured, latency_ms=measured.latency_ms * (1 + ratio))
    return replace(played, candidate=replace(played.candidate, run=replace(run, samples=samples)))


class Columns(NamedTuple):
    """The requests of one arm in all rounds, on the clock of all rounds; each column has the shape ``(samples,)``."""

    key: npt.NDArray[np.int64]
    """Position in ``Timeline.keys``."""
    start_s: Floats
    latency_ms: Floats
    is_failure: npt.NDArray[np.bool_]


class Timeline:
    """The rounds of a duet one after the other, as if they were one run."""

    def __init__(self, rounds: Sequence[Round]) -> None:
        """Lay out ``rounds``, in the order in which they were played."""
        self._rounds = tuple(rounds)
        lengths = [_GAP_S + max(arm.run.duration_s for arm in played.arms) for played in rounds]
        self._offsets_s = [0.0, *accumulate(lengths)][: len(lengths)]

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """Every request key that either arm has, in alphabetical order."""
        runs = [arm.run for played in self._rounds for arm in played.arms]
        return tuple(sorted({key for run in runs for key in run.samples.keys}))

    @property
    def counters(self) -> tuple[str, ...]:
        """Every counter that either arm has, in alphabetical order."""
        marks = [mark for played in self._rounds for arm in played.arms for mark in arm.marks]
        return tuple(sorted({name for mark in marks for name in mark.counters}))

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages of the shape that was played."""
        return tuple(stage.name for stage in self._rounds[0].base.run.stages)

    @property
    def marks(self) -> tuple[tuple[Mark, ...], tuple[Mark, ...]]:
        """All marks of the baseline, and all of the candidate."""
        base, candidate = zip(*(played.arms for played in self._rounds), strict=True)
        return tuple(mark for arm in base for mark in arm.marks), tuple(mark for arm in candidate for mark in arm.marks)

    def windows(self, stage: str | None = None) -> tuple[Window, ...]:
        """Return the judged time of each round that came to it: after the warm-up, of one stage or of all."""
        found = []
        for number, played in enumerate(self._rounds):
            run = played.base.run
            whole = Window(name=TOTAL, start_s=0.0, end_s=run.duration_s)
            parts = [whole] if stage is None else [part for part in run.windows if part.name == stage]
            found += [self._place(after_warmup(part, run.warmup_s), number) for part in parts]
        return tuple(found)

    def matching_stages(self, pattern: str) -> tuple[str, ...]:
        """Return the stages that a pattern names."""
        return tuple(name for name in self.stages if match_name(pattern, name))

    def arms(self, key: str | None = None) -> tuple[Arm, Arm]:
        """Return the requests of baseline and candidate, of one request key or of all."""
        base, candidate = (_arm(columns, self._mask(columns, key)) for columns in self._columns)
        return base, candidate

    def count_marks(self, amount: Callable[[Mark], float], windows: Sequence[Window]) -> BlockCounts | None:
        """Return how much an amount grew in each arm from mark to mark, beside the requests that started meanwhile.

        Only what lies between two marks in the same one of ``windows``. None if the amount fell.
        """
        rows: list[tuple[float, ...]] = []
        for number, (played, offset_s) in enumerate(zip(self._rounds, self._offsets_s, strict=True)):
            end_s = offset_s + played.duration_s
            for window in [part for part in windows if offset_s <= part.start_s <= end_s]:
                rows += [(*row, number) for row in _growth(played, offset_s, window, amount)]
        columns = np.array(rows, dtype=np.float64).reshape(-1, 5).T
        if (columns < 0).any():
            return None
        return BlockCounts(
            base=columns[0],
            candidate=columns[1],
            base_requests=columns[2],
            candidate_requests=columns[3],
            round_index=columns[4].astype(np.int64),
        )

    @cached_property
    def _columns(self) -> tuple[Columns, Columns]:
        base = self._join([_within(exact(played.base.run.samples)) for played in self._rounds])
        return base, self._join([_within(exact(played.candidate.run.samples)) for played in self._rounds])

    def _join(self, parts: Sequence[Samples]) -> Columns:
        starts = [part.start_s + offset_s for part, offset_s in zip(parts, self._offsets_s, strict=True)]
        return Columns(
            key=np.concatenate([renumber(part, self.keys) for part in parts]),
            start_s=np.concatenate(starts),
            latency_ms=np.concatenate([part.latency_ms for part in parts]),
            is_failure=np.concatenate([~part.is_success for part in parts]),
        )

    def _place(self, window: Window, number: int) -> Window:
        """Return a window of a round on the clock of all rounds."""
        played, offset_s = self._rounds[number], self._offsets_s[number]
        end_s = max(window.start_s, min(window.end_s, played.duration_s))
        return replace(window, start_s=offset_s + window.start_s, end_s=offset_s + end_s)

    def _mask(self, columns: Columns, key: str | None) -> slice | npt.NDArray[np.bool_]:
        return slice(None) if key is None else columns.key == self.keys.index(key)


def why_nothing(rule: RegressionRule, time: Timeline) -> str:
    """Return why a rule has nothing to compare, because what it names does not exist; empty if it does."""
    if rule.stage is not None and not time.matching_stages(rule.stage):
        return f"the shape has no stage {rule.stage!r}; its stages: {', '.join(time.stages)}"
    if rule.kind == "counter" and rule.subject not in time.counters:
        return f"it was never counted in either arm; there are these counters: {', '.join(time.counters) or 'none'}"
    if rule.kind != "request":
        return ""
    keys = matching_keys(rule.subject, time.keys)
    if "*" not in rule.subject and len(keys) > 1:
        return f"the name is ambiguous, write one of: {', '.join(keys)}"
    return "" if keys else f"no request of that name; seen: {', '.join(time.keys) or 'none'}"


def _within(samples: Samples) -> Samples:
    """Leave out what users sent at their start, before the clock of the round began."""
    return samples.select(samples.start_s >= 0)


def _arm(columns: Columns, chosen: slice | npt.NDArray[np.bool_]) -> Arm:
    return Arm(
        scheduled_s=columns.start_s[chosen],
        latency_ms=np.maximum(columns.latency_ms[chosen], _SHORTEST_MS),
        is_failure=columns.is_failure[chosen],
    )


def _growth(
    played: Round, offset_s: float, window: Window, amount: Callable[[Mark], float]
) -> Iterator[tuple[float, ...]]:
    """Yield what each arm's amount grew by between two marks, and the requests that each was sent in between."""
    start_s, end_s = window.start_s - offset_s - _TOLERANCE_S, window.end_s - offset_s + _TOLERANCE_S
    if end_s > played.duration_s:
        end_s = math.inf  # The last look is taken when the round is over, a moment after the end of the shape.
    pairs = zip(played.base.marks, played.candidate.marks, strict=False)
    inside = [pair for pair in pairs if all(start_s <= mark.at_s <= end_s for mark in pair)]
    starts = [exact(arm.run.samples).start_s for arm in played.arms]
    for first, last in pairwise(inside):
        grown = [amount(late) - amount(early) for early, late in zip(first, last, strict=True)]
        sent = [
            int(np.count_nonzero((times >= early.at_s) & (times < late.at_s)))
            for times, early, late in zip(starts, first, last, strict=True)
        ]
        yield (*grown, *sent)
