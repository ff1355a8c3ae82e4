"""Take note of the requests of one run: all of them for metrics, some of them for spans."""

from __future__ import annotations

import math
import time
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from heapq import heappush, heapreplace
from itertools import count
from random import getrandbits
from typing import NamedTuple

from tailgate.tracing import TracedRequest

SLOWEST_COUNT = 10
"""Slowest requests of each method, name and status that a run keeps, sampled or not."""
_MOST_KINDS = 100
"""Requests of more kinds than this were not grouped by names; those beyond are not compared."""
_SPAN_ID_BITS = 64
_FIRST_ERROR_STATUS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class RunIdentity:
    """What all telemetry of one run has in common."""

    test: str
    """Node id."""
    scenario: str
    host: str
    """Base URL of what is loaded."""
    trace_id: int
    test_span_id: int
    """Parent of the requests' spans."""
    began: float
    """Wall clock."""


class Kind(NamedTuple):
    """Requests that are counted together."""

    method: str
    name: str
    status: int | None
    error_type: str | None = None


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


@dataclass(slots=True)
class _Successes:
    """Requests of one method, name and status that succeeded."""

    took_ms: array[float] = field(default_factory=lambda: array("d"))
    """Since the last look."""
    slowest: list[tuple[float, int, KeptRequest]] = field(default_factory=list)
    """A heap, the fastest of them first."""
    slow_ms: float = -1.0
    """What takes longer is one of the slowest so far."""


class RunTracer:
    """Notes the requests of one run; see ``tailgate.tracing.RequestTracer``.

    A request is sampled before it is sent, because the servers behind it are told. One that was not is kept all the
    same when it fails, or when in the end it is among the slowest of its kind.

    Args:
        run: Whose requests they are.
        sample_ratio: Share to sample, in [0, 1]; None keeps none at all.
        put: Takes what was noted; must not block.
        put_every_s: How often it does, until the run ends.
        clock: Monotonic, in seconds.
    """

    def __init__(
        self,
        run: RunIdentity,
        sample_ratio: float | None,
        put: Callable[[Notes], None],
        *,
        put_every_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run = run
        # By the span id, since all requests of a test share a trace id.
        self._sampled_below = int((sample_ratio or 0.0) * 2**_SPAN_ID_BITS)
        self._keeps = sample_ratio is not None
        self._put = put
        self._put_every_s = put_every_s
        self._clock = clock
        self._put_at_s = clock()
        self._prefix = f"00-{run.trace_id:032x}-"
        self._notes = Notes(run)
        self._successes: dict[tuple[str, str, int | None], _Successes] = {}
        self._numbers = count()

    def start(self) -> tuple[int, str]:
        """Return the span id of a request that is about to be sent, and its ``traceparent``."""
        span_id = getrandbits(_SPAN_ID_BITS) or 1
        return span_id, f"{self._prefix}{span_id:016x}-{'01' if span_id < self._sampled_below else '00'}"

    def count(self, span_id: int, method: str, name: str, status: int | None, took_ms: float) -> bool:
        """Count a request that succeeded, and tell whether it is to be kept."""
        found = self._successes.get((method, name, status))
        if found is None:
            found = self._successes[method, name, status] = _Successes()
            if not self._keeps or len(self._successes) > _MOST_KINDS:
                found.slow_ms = math.inf
        found.took_ms.append(took_ms)
        return took_ms > found.slow_ms or span_id < self._sampled_below

    def keep(self, request: TracedRequest) -> None:
        """Keep a request that was counted, or one that failed, which is counted here."""
        if request.error is not None:
            self._keep_failure(request, request.error)
        elif request.span_id < self._sampled_below:
            self._notes.kept.append(KeptRequest(request, None, ""))
        else:
            self._keep_for_now(request)

    def hand_over(self, users: int, counters: Mapping[str, float]) -> None:
        """Pass on what was noted, now and then."""
        if self._clock() - self._put_at_s >= self._put_every_s:
            self._pass_on(users, counters)

    def end(self, counters: Mapping[str, float]) -> None:
        """Pass on the rest, and the slowest requests: the run is over, and ``counters`` are final."""
        for found in self._successes.values():
            self._notes.kept += [kept for _, _, kept in found.slowest]
        self._notes.is_last = True
        self._pass_on(0, counters)

    def _keep_failure(self, request: TracedRequest, error: BaseException | str) -> None:
        error_type = type_of_error(request.status, error)
        kind = Kind(request.method, request.name, request.status, error_type)
        self._notes.took_ms.setdefault(kind, array("d")).append(request.took_ms)
        if self._keeps:
            # The text only: the exception holds the answer, and all that was on the stack when it was raised.
            message = str(error)
            self._notes.kept.append(KeptRequest(request._replace(error=message), error_type, message))

    def _keep_for_now(self, request: TracedRequest) -> None:
        """Keep a request until slower ones of its kind come."""
        found = self._successes[request.method, request.name, request.status]
        entry = (request.took_ms, next(self._numbers), KeptRequest(request, None, ""))
        if len(found.slowest) < SLOWEST_COUNT:
            heappush(found.slowest, entry)
        else:
            heapreplace(found.slowest, entry)
        if len(found.slowest) == SLOWEST_COUNT:
            found.slow_ms = found.slowest[0][0]

    def _pass_on(self, users: int, counters: Mapping[str, float]) -> None:
        self._put_at_s = self._clock()
        notes, self._notes = self._notes, Notes(self._run)
        notes.users, notes.counters = users, counters
        for kind, found in self._successes.items():
            if found.took_ms:
                notes.took_ms[Kind(*kind)], found.took_ms = found.took_ms, array("d")
        self._put(notes)


def type_of_error(status: int | None, error: BaseException | str) -> str:
    """Return the ``error.type`` of a failed request: its status where that says it, else the class of the error.

    Source: https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-client-span
    """
    if status is not None and status >= _FIRST_ERROR_STATUS:
        return str(status)
    if isinstance(error, str):
        return error
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
