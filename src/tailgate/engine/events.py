"""Locust's events with nothing swallowed: a listener that raises is kept, not just logged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import locust
from locust.event import EventHook, Events
from locust.exception import InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately, StopTest, StopUser

from tailgate.model import ErrorCount

Recorder = Callable[[dict[str, Any]], None]
"""Takes the keyword arguments of one ``request`` event."""

_CONTROL_FLOW = (StopUser, StopTest, RescheduleTask, RescheduleTaskImmediately, InterruptTaskSet)


class _StrictHook(EventHook):
    """An event whose listeners may not fail unseen (Locust's ``EventHook.fire`` only logs what they raise)."""

    def __init__(self, name: str, failures: Counter[tuple[str, str]]) -> None:
        super().__init__()
        self._name = name
        self._failures = failures

    def fire(self, *, reverse: bool = False, **kwargs: Any) -> None:
        for handler in self._handlers[::-1] if reverse else self._handlers.copy():
            try:
                handler(**kwargs)
            except _CONTROL_FLOW:
                raise
            except Exception as error:  # noqa: BLE001 - kept, and told in every report
                self._failures[self._name, f"{type(error).__name__}: {error}"] += 1


class _RequestHook(_StrictHook):
    """The ``request`` event: records first, then tells whoever else listens."""

    def __init__(self, failures: Counter[tuple[str, str]], record: Recorder) -> None:
        super().__init__("request", failures)
        self._record = record

    def fire(self, *, reverse: bool = False, **kwargs: Any) -> None:
        self._record(kwargs)
        if self._handlers:
            super().fire(reverse=reverse, **kwargs)


class RunEvents:
    """The events of one run, with a copy of the listeners that were registered on ``locust.events``."""

    def __init__(self, record: Recorder) -> None:
        self._failures: Counter[tuple[str, str]] = Counter()
        self.events = Events()
        for name, hook in list(vars(self.events).items()):
            if isinstance(hook, EventHook):
                is_request = name == "request"
                own = _RequestHook(self._failures, record) if is_request else _StrictHook(name, self._failures)
                setattr(self.events, name, own)

    def adopt_global_listeners(self) -> None:
        """Drop what Locust's runner registered for its own statistics and listen for everybody else.

        Locust's statistics are rounded and never judged here; keeping them would cost about a twentieth of all the
        processor time of a request.
        """
        self.events.request._handlers.clear()  # noqa: SLF001 - our own hook
        for name, hook in vars(self.events).items():
            if isinstance(hook, EventHook) and (shared := getattr(locust.events, name, None)) is not None:
                hook._handlers.extend(shared._handlers)  # noqa: SLF001 - Locust has no public way to list them

    @property
    def failures(self) -> tuple[ErrorCount, ...]:
        """What listeners raised, by event."""
        return tuple(ErrorCount(where=where, error=error, count=n) for (where, error), n in self._failures.items())


class NoStatistics:
    """Stands where Locust's statistics would be, so that nobody reads zeros from them."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"environment.stats.{name}: Locust's own statistics are not kept in a tailgate run; "
            "use the RunResult that load() returns"
        )
