"""Deadlines that cost two assignments as long as they are kept."""

from __future__ import annotations

from math import inf
from time import perf_counter
from typing import Any

from gevent import get_hub

from tailgate.engine.lean.errors import RequestTimeout

_NO_ANSWER = "no complete answer"


class Alarm:
    """Wakes a greenlet by a `RequestTimeout` when its time is over; one greenlet at a time.

    Its timer is left running from one request to the next: when it rings too early, it is set to the deadline that
    then holds. To start and stop one for each request would cost more than to record the request.
    """

    def __init__(self) -> None:
        self._timer: Any = None
        self._rings_at_s = inf
        self._greenlet: Any = None
        self._at_s = inf
        self._end_s = inf
        self._whole_s = inf
        self._missing = _NO_ANSWER
        self._seconds = inf

    def start(self, greenlet: Any, began_s: float, seconds: float) -> None:
        """Give ``greenlet`` this long, by ``perf_counter()``, for all that it does until `stop`."""
        self._greenlet = greenlet
        self._whole_s = self._seconds = seconds
        self._missing = _NO_ANSWER
        self._at_s = self._end_s = at_s = began_s + seconds
        if at_s < self._rings_at_s:
            self._set_timer(at_s)

    def allow(self, seconds: float, missing: str) -> None:
        """Within the time for everything, allow ``seconds`` from now on for what would be ``missing``."""
        at_s = perf_counter() + seconds
        if at_s >= self._end_s:
            at_s, seconds, missing = self._end_s, self._whole_s, _NO_ANSWER
        self._at_s, self._seconds, self._missing = at_s, seconds, missing
        if at_s < self._rings_at_s:
            self._set_timer(at_s)

    def is_longer_than(self, seconds: float) -> bool:
        """Tell whether the time for everything is longer than ``seconds``."""
        return self._whole_s > seconds

    def stop(self) -> None:
        """Wake nobody any more."""
        self._greenlet = None

    def close(self) -> None:
        """Free the timer."""
        if self._timer is not None:
            self._timer.close()
            self._timer = None
        self._rings_at_s = inf

    def _set_timer(self, at_s: float) -> None:
        self.close()
        self._rings_at_s = at_s
        self._timer = get_hub().loop.timer(max(0.0, at_s - perf_counter()))
        self._timer.start(self._ring)

    def _ring(self) -> None:
        self._rings_at_s = inf
        greenlet = self._greenlet
        if greenlet is None:
            return
        if perf_counter() < self._at_s:
            self._set_timer(self._at_s)
            return
        self._greenlet = None
        greenlet.throw(RequestTimeout(self._missing, self._seconds))
