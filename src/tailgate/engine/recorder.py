"""Record what Locust tells about each request, and what happens to the users."""

from __future__ import annotations

import secrets
import time
from typing import Any

from gevent import getcurrent
from locust import User
from locust.clients import ResponseContextManager
from locust.contrib.fasthttp import FastResponse

from tailgate.engine.lean.response import LeanResponse
from tailgate.engine.sends import Sends
from tailgate.engine.tally import Tally
from tailgate.model import ErrorCount
from tailgate.samples import MOST_EXACT, Outcome, SampleLog
from tailgate.tracing import NO_ANSWER, RequestTracer, TracedRequest

NUMBER = "tailgate_number"
"""Key of a request's number in the context that Locust hands from the request to its event."""
_NUMBER_BITS = 62
_TRACKED = (LeanResponse, FastResponse, ResponseContextManager)
"""What the clients return whose requests are counted when they begin."""
SPAN_ID = "tailgate_span_id"
"""Key of a request's span in that context."""


class Recorder:
    """Everything that one run leaves behind, while it goes on."""

    def __init__(
        self, *, is_numbered: bool = False, tracer: RequestTracer | None = None, most_exact: float = MOST_EXACT
    ) -> None:
        self.log = SampleLog(is_numbered=is_numbered, most_exact=most_exact)
        self.first_number = 1 + secrets.randbits(_NUMBER_BITS) if is_numbered else 0
        """Requests count from here, so that no server mixes up two runs; 0 if they carry no numbers."""
        self.number_step = 1
        """Apart from each other by this, where other processes number requests in between."""
        self.tracer = tracer
        self.began = time.time()
        self.sent = 0
        """Requests that a tracked client began."""
        self.answered = 0
        """Requests of a tracked client of which an outcome was recorded."""
        self.due_by_greenlet: dict[Any, float] = {}
        """Open model: when the task of a greenlet was due, by the wall clock, until its first request is recorded."""
        self.sends = Sends()
        """Open model: when that first request was really sent, and how late that was."""
        self.user_deaths = Tally()
        self.task_exceptions = Tally()
        self.failures = Tally()

    @property
    def last_number(self) -> int:
        """Number of the request that began last."""
        return self.first_number + self.sent * self.number_step

    def record(self, event: dict[str, Any]) -> None:
        """Record one ``request`` event of Locust.

        Raises:
            TypeError: A custom client fired an event without ``response_time``; the task that did so gets it.
        """
        if isinstance(event.get("response"), _TRACKED):
            self.answered += 1
        latency_ms = event["response_time"]
        if latency_ms is None:
            raise TypeError(f"the request event of {event['name']!r} has no response_time")
        exception = event.get("exception")
        started = event.get("start_time")
        if started is None:
            started = time.time() - latency_ms / 1000
        sent, took_ms = started, latency_ms
        if self.due_by_greenlet:
            started, latency_ms = self._since_due(started, latency_ms)
        method, name = event["request_type"], event["name"]
        outcome = Outcome.FAILURE if exception else Outcome.SUCCESS
        number = (event.get("context") or {}).get(NUMBER, 0) if self.first_number else 0
        self.log.add(method, name, started - self.began, latency_ms, outcome, number)
        if exception:
            self.failures.add(f"{method} {name}", exception)
        if self.tracer is not None and (span_id := (event.get("context") or {}).get(SPAN_ID)) is not None:
            status = getattr(event.get("response"), "status_code", None) or None
            if exception or self.tracer.count(span_id, method, name, status, took_ms):
                url, due = event["url"], None if started == sent else started
                self.tracer.keep(TracedRequest(span_id, method, name, url, sent, took_ms, due, status, exception))

    def add_censored(
        self, method: str, name: str, started: float, *, span_id: int | None = None, url: str = ""
    ) -> None:
        """Record a request that was still running when its user was killed."""
        waited_ms = (time.time() - started) * 1000
        sent, took_ms = started, waited_ms
        if self.due_by_greenlet:
            started, waited_ms = self._since_due(started, waited_ms)
        self.log.add(method, name, started - self.began, waited_ms, Outcome.CENSORED)
        self.failures.add(f"{method} {name}", "no answer when the run ended")
        if self.tracer is not None and span_id is not None:
            due = None if started == sent else started
            self.tracer.keep(TracedRequest(span_id, method, name, url, sent, took_ms, due, None, NO_ANSWER))

    def _since_due(self, started: float, latency_ms: float) -> tuple[float, float]:
        """Count the first request of an arrived task from the moment when the task was due."""
        due = self.due_by_greenlet.pop(getcurrent(), None)
        if due is None:
            return started, latency_ms
        lag_ms = (started - due) * 1000
        self.sends.add(started - self.began, lag_ms)
        return due, latency_ms + lag_ms

    def on_user_error(self, user_instance: Any, exception: Exception, **_: Any) -> None:
        """Count an exception of a task; one of ``on_start`` ends its user and is counted there."""
        if not isinstance(user_instance, User):
            self.task_exceptions.add(type(user_instance.user).__name__, exception)

    @property
    def errors(self) -> tuple[ErrorCount, ...]:
        """Failed requests by kind, most frequent first."""
        return self.failures.counts
