"""Locust's events with nothing swallowed: a listener that raises is kept, not just logged."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import locust
from gevent import GreenletExit
from locust.event import EventHook, Events
from locust.exception import InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately, StopTest, StopUser

from tailgate.engine.recorder import Recorder
from tailgate.engine.tally import Tally
from tailgate.model import ErrorCount

_CONTROL_FLOW = (StopUser, StopTest, RescheduleTask, RescheduleTaskImmediately, InterruptTaskSet)


class _StrictHook(EventHook):
    """An event whose listeners may not fail unseen (Locust's ``EventHook.fire`` only logs what they raise)."""

    def __init__(self, name: str, failures: Tally) -> None:
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
                self._failures.add(self._name, error)


class _RequestHook(_StrictHook):
    """The ``request`` event: records first, then tells whoever else listens."""

    def __init__(self, failures: Tally, recorder: Recorder) -> None:
        super().__init__("request", failures)
        self._recorder = recorder
        self._record = recorder.record

    def fire(self, *, reverse: bool = False, **kwargs: Any) -> None:
        self._record(kwargs)
        if self._handlers:
            super().fire(reverse=reverse, **kwargs)

    @contextmanager
    def measure(
        self, request_type: str, name: str, response_length: int = 0, context: Any = None
    ) -> Iterator[dict[str, Any]]:
        """Measure a with-block as Locust does, but count a block that is killed as censored, not as a success."""
        meta: dict[str, Any] = {
            "request_type": request_type,
            "name": name,
            "response_length": response_length,
            "context": context or {},
            "exception": None,
            "start_time": time.time(),
        }
        began_s = time.perf_counter()
        try:
            yield meta
        except GreenletExit:
            self._recorder.add_censored(request_type, name, meta["start_time"])
            raise
        except Exception as error:  # noqa: BLE001 - the outcome of what was measured
            meta["exception"] = error
        meta["response_time"] = (time.perf_counter() - began_s) * 1000
        self.fire(**meta)


class RunEvents:
    """The events of one run, with a copy of the listeners that were registered on ``locust.events``."""

    def __init__(self, recorder: Recorder) -> None:
        self.tally = Tally()
        """What listeners raised, by event."""
        self.events = Events()
        for name, hook in list(vars(self.events).items()):
            if isinstance(hook, EventHook):
                is_request = name == "request"
                own = _RequestHook(self.tally, recorder) if is_request else _StrictHook(name, self.tally)
                setattr(self.events, name, own)

    def drop_statistics(self) -> None:
        """Drop what Locust's runner registered for its own statistics.

        They are rounded and never judged here; keeping them would cost about a twentieth of all the processor time of
        a request.
        """
        self.events.request._handlers.clear()  # noqa: SLF001 - our own hook

    def adopt_global_listeners(self) -> None:
        """Listen for everybody who registered on ``locust.events``."""
        for name, hook in vars(self.events).items():
            if isinstance(hook, EventHook) and (shared := getattr(locust.events, name, None)) is not None:
                hook._handlers.extend(shared._handlers)  # noqa: SLF001 - Locust has no public way to list them

    @property
    def failures(self) -> tuple[ErrorCount, ...]:
        """What listeners raised, by event."""
        return self.tally.counts


class NoStatistics:
    """Stands where Locust's statistics would be, so that nobody reads zeros from them."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"environment.stats.{name}: Locust's own statistics are not kept in a tailgate run; "
            "use the RunResult that load() returns"
        )
