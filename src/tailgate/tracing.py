"""What the engine tells of requests to whoever traces them: plain values, and no tracing library."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

TRACEPARENT = "traceparent"
"""The header of the W3C's Trace Context, https://www.w3.org/TR/trace-context/."""
NO_ANSWER = "no_answer"
"""The error of a request that was still running when its run ended."""


class TracedRequest(NamedTuple):
    """A request that is over and worth a span."""

    span_id: int
    """What `RequestTracer.start` gave."""
    method: str
    name: str
    url: str
    """Where it was sent; complete."""
    sent: float
    """When it was sent, by the wall clock."""
    took_ms: float
    """From then to the last byte, or to when it was given up."""
    due: float | None
    """Open model: when it was due, by the wall clock; None if it was due when it was sent."""
    status: int | None
    """Of the answer; None if there was none."""
    error: BaseException | str | None
    """Why it failed, as the user sees it; None if it did not."""


class RequestTracer(Protocol):
    """Follows the requests of one run. It is called for each of them, on the event loop, and must not block."""

    def start(self) -> tuple[int, str]:
        """Return the span id of a request that is about to be sent, and the ``traceparent`` to send with it."""
        ...  # pragma: no cover

    def count(self, span_id: int, method: str, name: str, status: int | None, took_ms: float) -> bool:
        """Count a request that succeeded, and tell whether to keep it; most are not worth the time to say more."""
        ...  # pragma: no cover

    def keep(self, request: TracedRequest) -> None:
        """Take note of a request that was counted and is to be kept, or of one that failed."""
        ...  # pragma: no cover

    def hand_over(self, users: int, counters: Mapping[str, float]) -> None:
        """Pass on what was noted since the last call, with the users and counters of now; a few times a second."""
        ...  # pragma: no cover
