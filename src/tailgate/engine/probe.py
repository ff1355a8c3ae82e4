"""Watch the generator itself: how late its event loop is, and how busy it and the machine are."""

from __future__ import annotations

import time
from array import array
from typing import Self

import gevent
import numpy as np
import psutil

from tailgate.model import GeneratorHealth

PROBE_INTERVAL_S = 0.01


class HealthProbe:
    """Measures from ``start`` to ``stop``.

    A greenlet sleeps 10 ms again and again and notes by how much it woke too late. A user's latency is measured by
    the same loop, so this lateness is what the generator itself adds to it.
    """

    def __init__(self) -> None:
        self._lags_ms = array("d")
        self._greenlet: gevent.Greenlet | None = None
        self._elapsed_s = self._cpu_s = 0.0
        self._host_before = self._host_after = psutil.cpu_times()

    def start(self) -> Self:
        """Begin to measure."""
        self._began_s = time.perf_counter()
        self._cpu_began_s = time.process_time()
        self._host_before = psutil.cpu_times()
        self._greenlet = gevent.spawn(self._watch)
        return self

    def stop(self) -> None:
        """Stop measuring; a second call changes nothing."""
        if self._greenlet is None:
            return
        self._greenlet.kill()
        self._greenlet = None
        self._elapsed_s = time.perf_counter() - self._began_s
        self._cpu_s = time.process_time() - self._cpu_began_s
        self._host_after = psutil.cpu_times()

    def health(self, requests: int) -> GeneratorHealth:
        """Return the figures of the time between ``start`` and ``stop``, in which ``requests`` were made."""
        lags_ms = np.array(self._lags_ms or [0.0])
        busy, steal = _host_shares(self._host_before, self._host_after)
        return GeneratorHealth(
            loop_lag_p50_ms=float(np.quantile(lags_ms, 0.5)),
            loop_lag_p99_ms=float(np.quantile(lags_ms, 0.99)),
            cpu_ratio=self._cpu_s / self._elapsed_s if self._elapsed_s else 0.0,
            cpu_us_per_request=1e6 * self._cpu_s / requests if requests else None,
            host_cpu_ratio=busy,
            steal_ratio=steal,
        )

    def _watch(self) -> None:
        while True:
            slept_at = time.perf_counter()
            gevent.sleep(PROBE_INTERVAL_S)
            self._lags_ms.append((time.perf_counter() - slept_at - PROBE_INTERVAL_S) * 1000)


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
