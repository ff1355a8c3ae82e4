"""What a client tells the run of each of its requests, whichever client it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gevent import Greenlet, getcurrent
from locust import User

from tailgate.engine.context import RunContext
from tailgate.engine.recorder import NUMBER, SPAN_ID
from tailgate.tracing import TRACEPARENT

_REQUEST_ID = "x-request-id"


class RequestTracker:
    """Follows the requests of one user's client from the moment when they begin.

    Locust tells of a request only when it is over. One that is still running when its user is killed would leave no
    trace, and a hung service would look as if it had not been asked.
    """

    def __init__(self, context: RunContext, user: User | None, has_header: Callable[[str], bool]) -> None:
        """Follow a client of which ``has_header`` tells whether it sends a header with every request."""
        self.timeout_s = context.request_timeout_s
        self._context = context
        self._user = user
        self._recorder = recorder = context.recorder
        self._is_numbered = bool(recorder.first_number) and not has_header(_REQUEST_ID)
        self.is_marking = self._is_numbered or recorder.tracer is not None
        """Whether requests carry something by which the servers know them."""

    def begin(self) -> None:
        """Count a request, and have its greenlet end with the run."""
        running, user = getcurrent(), self._user
        if user is not None and running is not user.greenlet and isinstance(running, Greenlet):
            self._context.helpers.add(running)
        self._recorder.sent += 1

    def mark(self, headers: dict[str, Any], context: dict[str, Any]) -> int | None:
        """Add what the servers are told of a request that began, and what its event is told; return its span's id.

        What the task itself put into the headers stays as it is.
        """
        given = {name.lower() for name in headers}
        if self._is_numbered and _REQUEST_ID not in given:
            context[NUMBER] = number = self._recorder.last_number
            headers[_REQUEST_ID] = str(number)
        if self._recorder.tracer is None:
            return None
        span_id, traceparent = self._recorder.tracer.start()
        context[SPAN_ID] = span_id
        if TRACEPARENT not in given:
            headers[TRACEPARENT] = traceparent
        return span_id

    def censor(self, method: str, name: str, url: str, *, started: float, span_id: int | None) -> None:
        """Record a request whose greenlet was killed before it was over."""
        self._recorder.add_censored(method, name, started, span_id=span_id, url=url)
        self._recorder.answered += 1
