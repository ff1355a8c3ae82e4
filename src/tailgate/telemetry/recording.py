"""Take note of the requests of one run: all of them for metrics, some of them for spans."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from heapq import heappush, heappushpop
from itertools import count
from random import getrandbits
from typing import NamedTuple

from tailgate.tracing import TracedRequest

HAND_OVER_EVERY_S = 1.0
"""To export a few spans takes as much processor time as ten more of them."""
SLOWEST_COUNT = 10
"""Slowest requests of each name that a run keeps, sampled or not."""
_MOST_NAMES = 100
"""Requests of more names than this were not grouped; those beyond are not compared."""
_SPAN_ID_BITS = 64
_FIRST_ERROR_STATUS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class RunIdentity:
    """What all telemetry of one run has in common."""

    test: str
    """Node id."""
    scenario: str
    trace_id: int
    test_span_id: int
    """Parent of the requests' spans."""
    began: float
    """Wall clock."""


class Kind(NamedTuple):
    """Requests that are counted together."""

    method: str
    name: str
    origin: str
    """``host:port`` of the URL."""
    status: int | None
    error_type: str | None


class KeptRequest(NamedTuple):
    """A request that gets a span."""

    request: TracedRequest
    error_type: str | None
    message: str


@dataclass(slots=True)
class Notes:
    """What was noted of a run between two looks at it."""

    run: RunIdentity
    kept: list[KeptRequest] = field(default_factory=list)
    took_ms: dict[Kind, array[float]] = field(default_factory=dict)
    users: int = 0
    counters: Mapping[str, float] = field(default_factory=dict)
    is_last: bool = False
    """Whether the run is over."""


class RunTracer:
    """Notes the requests of one run; see ``tailgate.tracing.RequestTracer``.

    A request is sampled before it is sent, because the servers behind it are told. One that was not is kept all the
    same when it fails, or when in the end it is among the slowest of its name.

    Args:
        run: Whose requests they are.
        sample_ratio: Share to sample, in [0, 1]; None keeps none at all.
        put: Takes what was noted; must not block.
    """

    def __init__(
        self,
        run: RunIdentity,
        sample_ratio: float | None,
        put: Callable[[Notes], None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run = run
        # By the span id, since all requests of a test share a trace id.
        self._sampled_below = int((sample_ratio or 0.0) * 2**_SPAN_ID_BITS)
        self._keeps = sample_ratio is not None
        self._put = put
        self._clock = clock
        self._put_at_s = clock()
        self._prefix = f"00-{run.trace_id:032x}-"
        self._notes = Notes(run)
        self._slowest: dict[str, list[tuple[float, int, KeptRequest]]] = {}
        self._numbers = count()

    def start(self) -> tuple[int, str]:
        """Return the span id of a request that is about to be sent, and its ``traceparent``."""
        span_id = getrandbits(_SPAN_ID_BITS) or 1
        return span_id, f"{self._prefix}{span_id:016x}-{'01' if span_id < self._sampled_below else '00'}"

    def finish(self, request: TracedRequest) -> None:
        """Take note of a request that is over."""
        error_type = None if request.error is None else type_of_error(request)
        kind = Kind(request.method, request.name, origin_of(request.url), request.status, error_type)
        took_ms = self._notes.took_ms.get(kind)
        if took_ms is None:
            took_ms = self._notes.took_ms[kind] = array("d")
        took_ms.append(request.took_ms)
        if not self._keeps:
            return
        if error_type is not None or request.span_id < self._sampled_below:
            # The text only: the exception holds the answer, and all that was on the stack when it was raised.
            message = "" if request.error is None else str(request.error)
            self._notes.kept.append(KeptRequest(request._replace(error=message or None), error_type, message))
        else:
            self._compare(request)

    def hand_over(self, users: int, counters: Mapping[str, float]) -> None:
        """Pass on what was noted, now and then."""
        if self._clock() - self._put_at_s >= HAND_OVER_EVERY_S:
            self._pass_on(users, counters)

    def end(self, counters: Mapping[str, float]) -> None:
        """Pass on the rest, and the slowest requests: the run is over, and ``counters`` are final."""
        self._notes.kept += [kept for heap in self._slowest.values() for _, _, kept in heap]
        self._notes.is_last = True
        self._slowest.clear()
        self._pass_on(0, counters)

    def _pass_on(self, users: int, counters: Mapping[str, float]) -> None:
        self._put_at_s = self._clock()
        notes, self._notes = self._notes, Notes(self._run)
        notes.users, notes.counters = users, counters
        self._put(notes)

    def _compare(self, request: TracedRequest) -> None:
        """Put a request among the slowest of its name, if it is one."""
        heap = self._slowest.get(request.name)
        if heap is None:
            if len(self._slowest) >= _MOST_NAMES:
                return
            heap = self._slowest[request.name] = []
        if len(heap) < SLOWEST_COUNT:
            heappush(heap, (request.took_ms, next(self._numbers), KeptRequest(request, None, "")))
        elif request.took_ms > heap[0][0]:
            heappushpop(heap, (request.took_ms, next(self._numbers), KeptRequest(request, None, "")))


def origin_of(url: str) -> str:
    """Return ``host:port`` as it stands in an absolute URL."""
    authority = url.split("/", 3)[2]
    return authority.rpartition("@")[2] if "@" in authority else authority


def type_of_error(request: TracedRequest) -> str:
    """Return the ``error.type`` of a failed request: its status where that says it, else the class of the error.

    Source: https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-client-span
    """
    if request.status is not None and request.status >= _FIRST_ERROR_STATUS:
        return str(request.status)
    if isinstance(request.error, str):
        return request.error
    kind = type(request.error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
