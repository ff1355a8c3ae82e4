"""What a run shows of itself while it goes on, and to whom."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tailgate.run import RunResult
from tailgate.samples import Columns, SampleLog


@dataclass(frozen=True, slots=True)
class LiveRun:
    """A look at a run that goes on."""

    stage: str
    users: int
    elapsed_s: float
    left_s: float | None
    """Seconds until the shape ends; None where only the shape knows."""
    log: SampleLog
    user_s: float
    """Sum over the users of the seconds that each has lived."""


class Keep(Protocol):
    """What is handed the measurements of a run while it goes on."""

    def __call__(self, pairs: Sequence[tuple[str, str]], pieces: Sequence[Columns], so_far: RunResult) -> None:
        """Take what was recorded since the last call; must not block.

        Args:
            pairs: Methods and names of all requests so far, to which ``key_index`` points.
            pieces: Requests in the order of their ends; never changed again.
            so_far: The run but for its samples.
        """
        ...  # pragma: no cover


class Monitor(Protocol):
    """What watches a run while it goes on."""

    def on_progress(self, live: LiveRun) -> str:
        """Look at the run a few times a second; a text ends it early, as the reason why."""
        ...  # pragma: no cover

    def on_stage_begin(self, stage: str) -> None:
        """Take note that a stage begins; must not block."""
        ...  # pragma: no cover

    def on_stage_end(self, stage: str, so_far: Callable[[], RunResult]) -> bool:
        """Look at the run when a stage is over, if need be at what ``so_far()`` copies; False ends it there."""
        ...  # pragma: no cover


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveArm:
    """A look at one arm of a duet that goes on."""

    users: int
    log: SampleLog
    counters: Mapping[str, float]
    """What the users of this arm counted so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveDuet:
    """A look at a duet that goes on."""

    stage: str
    elapsed_s: float
    left_s: float | None
    """Seconds until the shape ends."""
    base: LiveArm
    candidate: LiveArm


class DuetMonitor(Protocol):
    """What watches a duet while it goes on."""

    def on_progress(self, live: LiveDuet) -> None:
        """Look at both arms a few times a second, the first time when the duet begins; must not block."""
        ...  # pragma: no cover
