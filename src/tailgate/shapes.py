"""Shapes of load as data: which level at which time, and the name of the stage."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Protocol

from tailgate.errors import BadInput
from tailgate.model import TOTAL, Stage


class Shape(Protocol):
    """Anything that can say which stages it consists of."""

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages in order, at least one, each with a name of its own."""
        ...  # pragma: no cover


@dataclass(frozen=True, slots=True, init=False)
class Stages:
    """Stages one after the other, as written: ``Stages(Stage(name="warm", duration_s=2, users=5), …)``."""

    stages: tuple[Stage, ...]

    def __init__(self, *stages: Stage) -> None:
        object.__setattr__(self, "stages", stages)


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """Ramp up to a level, hold it, ramp down. Stages ``ramp_up``, ``hold``, ``ramp_down``."""

    users: int = 10
    ramp_s: float = 2.0
    hold_s: float = 6.0
    ramp_down_s: float = 1.0

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The three stages."""
        return (
            _ramp("ramp_up", self.ramp_s, 0, self.users),
            Stage(name="hold", duration_s=self.hold_s, users=self.users),
            _ramp("ramp_down", self.ramp_down_s, self.users, 0),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stress:
    """Climb in steps until one breaks or the top is reached. Stages ``step_10``, ``step_20``, … by users.

    A step breaks when a limit for it under ``stages`` in the thresholds file fails. The highest level that held is
    the counter ``users_held``; what follows a broken step is not run.
    """

    step_users: int = 10
    steps: int = 4
    step_s: float = 3.0

    def __post_init__(self) -> None:
        """Refuse a stair without steps."""
        if self.steps < 1 or self.step_users < 1:
            raise ValueError(f"Stress: {self.steps} steps of {self.step_users} users, wanted at least one of one")

    @property
    def stages(self) -> tuple[Stage, ...]:
        """One stage a step."""
        levels = (self.step_users * number for number in range(1, self.steps + 1))
        return tuple(Stage(name=f"step_{users}", duration_s=self.step_s, users=users) for users in levels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Soak:
    """Ramp up and hold for long. Stages ``ramp_up``, ``hold``.

    The counter ``p95_drift_ratio`` tells by which share p95 rose from the first to the last third of ``hold``.
    """

    users: int = 10
    ramp_s: float = 2.0
    hold_s: float = 18.0

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The two stages."""
        return (
            _ramp("ramp_up", self.ramp_s, 0, self.users),
            Stage(name="hold", duration_s=self.hold_s, users=self.users),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Spike:
    """A normal level, a sudden burst, and the normal level again. Stages ``normal``, ``spike``, ``recovery``."""

    users: int = 5
    spike_users: int = 30
    normal_s: float = 4.0
    spike_s: float = 3.0
    recovery_s: float = 5.0

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The three stages."""
        return (
            Stage(name="normal", duration_s=self.normal_s, users=self.users),
            Stage(name="spike", duration_s=self.spike_s, users=self.spike_users),
            Stage(name="recovery", duration_s=self.recovery_s, users=self.users),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """Tasks begin at a rate, however long answers take (open model). One stage, ``arrivals``.

    Gaps between arrivals are exponential (Poisson), and a latency counts from the moment when its task was due, so a
    stall of the service shows in every request that it held up. For several rates, one after the other, pass
    ``Stages`` whose stages have an ``arrival_rate_rps``.
    """

    rate_rps: float = 50.0
    duration_s: float = 10.0
    ramp_s: float = 0.0

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The one stage."""
        return (Stage(name="arrivals", duration_s=self.duration_s, arrival_rate_rps=self.rate_rps, ramp_s=self.ramp_s),)


def _ramp(name: str, duration_s: float, users_from: int, users_to: int) -> Stage:
    """Return a stage that takes all of its length to get from one level to the other."""
    distance = abs(users_to - users_from)
    # A length that is not positive is left for Stage to refuse.
    spawn_rate = distance / duration_s if distance and duration_s > 0 else None
    return Stage(name=name, duration_s=duration_s, users=users_to, spawn_rate=spawn_rate)


def stretch(stages: Sequence[Stage], factor: float) -> tuple[Stage, ...]:
    """Return the same stages, ``factor`` times as long and as slow to spawn."""
    return tuple(
        replace(
            stage,
            duration_s=stage.duration_s * factor,
            spawn_rate=stage.spawn_rate / factor if stage.spawn_rate else None,
            ramp_s=stage.ramp_s * factor,
        )
        for stage in stages
    )


def check_stages(stages: Sequence[Stage]) -> None:
    """Refuse stages that no run could follow.

    Raises:
        BadInput: There are none, two share a name, nobody is ever there, or a level cannot be reached in time.
    """
    problems = []
    names = [stage.name for stage in stages]
    problems += [
        f"shape: two stages are called {name!r}; names must differ"
        for name in sorted({n for n in names if names.count(n) > 1})
    ]
    if TOTAL in names:
        problems.append(f"shape: a stage is called {TOTAL!r}, which means the whole run; give it another name")
    if not stages:
        problems.append("shape: has no stages; give it at least one")
    elif is_open(stages):
        problems += [
            f"shape: stage {stage.name!r} has no arrival_rate_rps, and others have; give all of them one, or none"
            for stage in stages
            if stage.arrival_rate_rps is None
        ]
    elif not any(stage.users for stage in stages):
        problems.append("shape: no stage has a user; nothing would be measured")
    level = 0
    for stage in stages:
        reached = _level_after(level, stage, stage.duration_s)
        if reached != stage.users:
            problems.append(
                f"shape: stage {stage.name!r} goes from {level} to {stage.users} users at {stage.spawn_rate:g} users/s "
                f"and reaches {reached} in its {stage.duration_s:g} s; raise spawn_rate or duration_s"
            )
        level = stage.users
    if problems:
        raise BadInput(problems)


def level_at(stages: Sequence[Stage], at_s: float) -> tuple[int, int]:
    """Return the index of the stage at ``at_s`` seconds and the users wanted there; past the end, the last ones."""
    level, start_s = 0, 0.0
    for index, stage in enumerate(stages):
        if at_s < start_s + stage.duration_s or index == len(stages) - 1:
            return index, _level_after(level, stage, min(at_s - start_s, stage.duration_s))
        level, start_s = stage.users, start_s + stage.duration_s
    raise BadInput(["shape: has no stages; give it at least one"])


def is_open(stages: Sequence[Stage]) -> bool:
    """Tell whether the stages are of the open model: tasks that arrive at a rate instead of users that loop."""
    return any(stage.arrival_rate_rps is not None for stage in stages)


def rate_at(stages: Sequence[Stage], at_s: float) -> float:
    """Return the arrival rate wanted at ``at_s`` seconds, in tasks a second; 0 past the end."""
    before_rps, start_s = 0.0, 0.0
    for stage in stages:
        rate_rps = stage.arrival_rate_rps or 0.0
        if at_s < start_s + stage.duration_s:
            passed = (at_s - start_s) / stage.ramp_s if stage.ramp_s else 1.0
            return before_rps + (rate_rps - before_rps) * min(1.0, passed)
        before_rps, start_s = rate_rps, start_s + stage.duration_s
    return 0.0


def arrival_times(stages: Sequence[Stage], source: Random) -> Iterator[float]:
    """Yield when tasks are due, in seconds since the run began: a Poisson process whose rate is ``rate_at``.

    Candidates come at the highest rate, and are thinned out where the rate is lower.

    Source: Lewis and Shedler 1979, https://doi.org/10.1002/nav.3800260304
    """
    peak_rps = max(stage.arrival_rate_rps or 0.0 for stage in stages)
    duration_s = sum(stage.duration_s for stage in stages)
    due_s = 0.0
    while (due_s := due_s + source.expovariate(peak_rps)) < duration_s:
        if source.random() * peak_rps < rate_at(stages, due_s):
            yield due_s


def _level_after(level: int, stage: Stage, elapsed_s: float) -> int:
    """Return the users wanted ``elapsed_s`` seconds into ``stage``, which found ``level`` users."""
    if stage.spawn_rate is None:
        return stage.users
    # Rounded up, so that the first user of a ramp starts at once and the last one before the stage is over; the
    # small subtraction keeps 6.000000001 from becoming 7.
    moved = math.ceil(stage.spawn_rate * elapsed_s - 1e-6)
    if stage.users >= level:
        return min(stage.users, level + moved)
    return max(stage.users, level - moved)
