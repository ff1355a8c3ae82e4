"""What one load run measured: frozen, and all that judging needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from operator import index
from reprlib import repr as short_repr
from typing import Any

from tailgate.model import ErrorCount, GeneratorHealth, Judged, RequestSummary, Stage, Window
from tailgate.samples import Measured
from tailgate.windows import stage_windows, summarise, total_window


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """Events of a run that no sample shows; each is a reason to doubt it."""

    user_deaths: tuple[ErrorCount, ...] = ()
    """Users that ended before they were asked to, by class and cause."""
    task_exceptions: tuple[ErrorCount, ...] = ()
    """Exceptions that tasks raised; the user went on."""
    listener_errors: tuple[ErrorCount, ...] = ()
    """Exceptions that listeners of Locust's events raised."""
    unreported: int = 0
    """Requests that were sent but of which no outcome was ever reported."""
    unstoppable_users: int = 0
    """Users that did not end when they were killed."""
    stack_deaths: tuple[str, ...] = ()
    """Services that died without being told to."""
    action_errors: tuple[str, ...] = ()
    """What went wrong with the actions that the test had asked for at a stage, and with what it observes."""
    worker_problems: tuple[str, ...] = ()
    """Worker processes that died, fell silent, left or came late; one sentence each."""
    clock_jump_s: float = 0.0
    """How far the wall clock moved against the monotonic one."""
    stopped: str = ""
    """What in the code of the users ended the run early; empty if nothing did."""
    paced_classes: tuple[str, ...] = ()
    """User classes that wait by Locust's ``constant_pacing`` or ``constant_throughput``."""
    interrupted: str = ""
    """What ended the run from outside, such as ``Ctrl-C``; empty if nothing did."""
    cut: str = ""
    """Why the run was ended early on purpose; empty if it was not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """One load run, from the first user to the last answer."""

    test: str
    """Node id of the test that made it."""
    scenario: str
    host: str
    """Base URL that was loaded."""
    started_at: str
    """ISO 8601 with the offset."""
    duration_s: float
    """From the beginning to the end of the last stage that was run; the stopping of users is not part of it."""
    stages: tuple[Stage, ...]
    """The shape as run."""
    users_reached: tuple[int, ...]
    """Highest level of living users in each stage that was begun."""
    samples: Measured
    """Every request exactly, or of a long run histograms."""
    warmup_s: float
    errors: tuple[ErrorCount, ...]
    """Failed requests by kind, most frequent first."""
    counters: Mapping[str, float]
    generator: GeneratorHealth
    facts: RunFacts = field(default_factory=RunFacts)
    notes: tuple[str, ...] = ()
    is_stress: bool = False
    """Whether the stages are steps that are meant to break in the end."""
    _judge: Callable[[RunResult], Judged] | None = field(default=None, repr=False, compare=False)

    @property
    def window(self) -> Window:
        """The whole run after its warm-up."""
        return total_window(self.duration_s, self.warmup_s)

    @property
    def windows(self) -> tuple[Window, ...]:
        """One window for each stage that was begun."""
        return stage_windows(self.stages, ended_s=self.duration_s)

    @property
    def total(self) -> RequestSummary:
        """Figures of all requests after the warm-up."""
        return summarise(self.samples.within(self.window), self.window.duration_s)

    def with_counters(self, counters: Mapping[str, float]) -> RunResult:
        """Return this run with more counters; a name that is there already gets the new value.

        Raises:
            TypeError: A value is no number, or one that no float can hold.
        """
        return replace(self, counters={**self.counters, **{name: _number(name, counters[name]) for name in counters}})

    def check(self) -> Judged:
        """Judge this run against the thresholds of its scenario, now rather than at the end of the test.

        Returns:
            The run with its verdict, ``pass`` or ``warn``.

        Raises:
            ThresholdBreach: A check failed.
            InvalidRun: The run cannot answer the question.
        """
        if self._judge is None:
            raise RuntimeError("this run was not made by the load fixture; use tailgate.judge.judge_run instead")
        return self._judge(self)


def _number(name: str, value: Any) -> float:
    """Return the value of a counter as Python's own int or float: a database may have sent a ``Decimal``."""
    if isinstance(value, (str, bytes, bytearray)):  # Some of which float() would read.
        raise TypeError(f"counter {name!r}: {short_repr(value)}, wanted a number")
    try:
        number = float(value)
    except OverflowError:
        raise TypeError(f"counter {name!r}: a number that no float can hold, wanted one below 1e308") from None
    except (TypeError, ValueError):
        raise TypeError(f"counter {name!r}: {short_repr(value)}, wanted a number") from None
    try:
        return index(value)
    except TypeError:
        return number
