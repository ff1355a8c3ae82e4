"""Watch the generator itself: how late its event loop is, and how busy it and the machine are."""

from __future__ import annotations

import time
from array import array
from typing import Any, Self

import numpy as np
import psutil
from gevent import get_hub

from tailgate.model import GeneratorHealth

PROBE_INTERVAL_S = 0.01
_MINUTE = int(60 / PROBE_INTERVAL_S)
_BLOCKED_MS = 10.0
"""A loop that is so late stood still. However long it did, that is one lag, of which a percentile takes no note."""


class HealthProbe:
    """Measures from ``start`` to ``stop``.

    A timer of the event loop is set to 10 ms again and again, and notes by how much it fired too late. A user's
    latency is measured by the same loop, so this lateness is what the generator itself adds to it. A greenlet that
    sleeps would say the same, but switching to it costs ten times as much as the note.
    """

    def __init__(self) -> None:
        self._lags_ms = array("d")
        self._timer: Any = None
        self._set_at_s = 0.0
        self._elapsed_s = self._cpu_s = 0.0
        self._host_before = self._host_after = psutil.cpu_times()

    def start(self) -> Self:
        """Begin to measure."""
        self._began_s = time.perf_counter()
        self._cpu_began_s = time.process_time()
        self._host_before = psutil.cpu_times()
        self._timer = get_hub().loop.timer(PROBE_INTERVAL_S, repeat=PROBE_INTERVAL_S)
        self._set()
        return self

    def stop(self) -> None:
        """Stop measuring; a second call changes nothing."""
        if self._timer is None:
            return
        self._timer.close()
        self._timer = None
        self._read()

    def health(self, requests: int) -> GeneratorHealth:
        """Return the figures of the time between ``start`` and ``stop``, in which ``requests`` were made."""
        return self._figures(requests, self._lags_ms)

    def health_so_far(self, requests: int) -> GeneratorHealth:
        """Return the figures while it goes on; the lags are those of the last minute, so that it costs little."""
        if self._timer is not None:
            self._read()
        return self._figures(requests, self._lags_ms[-_MINUTE:])

    def _figures(self, requests: int, lags: array[float]) -> GeneratorHealth:
        lags_ms = np.array(lags or [0.0])
        # Of the time that was looked at: all of it, or the last minute.
        watched_s = self._elapsed_s * len(lags) / max(1, len(self._lags_ms))
        blocked_s = float(lags_ms[lags_ms > _BLOCKED_MS].sum()) / 1000
        busy, steal = _host_shares(self._host_before, self._host_after)
        return GeneratorHealth(
            loop_lag_p50_ms=float(np.quantile(lags_ms, 0.5)),
            loop_lag_p99_ms=float(np.quantile(lags_ms, 0.99)),
            blocked_ratio=blocked_s / watched_s if watched_s else 0.0,
            cpu_ratio=self._cpu_s / self._elapsed_s if self._elapsed_s else 0.0,
            cpu_us_per_request=1e6 * self._cpu_s / requests if requests else None,
            host_cpu_ratio=busy,
            steal_ratio=steal,
        )

    def _read(self) -> None:
        self._elapsed_s = time.perf_counter() - self._began_s
        self._cpu_s = time.process_time() - self._cpu_began_s
        self._host_after = psutil.cpu_times()

    def _set(self) -> None:
        self._set_at_s = time.perf_counter()
        # Counted from now, and not from when this turn of the loop began.
        self._timer.again(self._note, update=True)

    def _note(self) -> None:
        self._lags_ms.append((time.perf_counter() - self._set_at_s - PROBE_INTERVAL_S) * 1000)
        self._set()


def _host_shares(before: object, after: object) -> tuple[float | None, float | None]:
    """Return the busy and the stolen share of all processor time between two readings of ``psutil.cpu_times``."""

    def passed(field: str) -> float:
        return float(getattr(after, field, 0.0)) - float(getattr(before, field, 0.0))

    # Guests are counted in "user" already.
    fields = [name for name in getattr(after, "_fields", ()) if not name.startswith("guest")]
    total = sum(passed(name) for name in fields)
    if total <= 0:
        return None, None
    busy = 1 - (passed("idle") + passed("iowait")) / total
    return busy, passed("steal") / total if hasattr(after, "steal") else None
