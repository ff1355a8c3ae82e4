"""Cut a run into windows by the start time of its requests, and summarise each."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from tailgate.model import TOTAL, RequestSummary, Stage, Window
from tailgate.samples import Measured

P50, P95, P99 = Fraction(1, 2), Fraction(95, 100), Fraction(99, 100)
_ROUNDING_S = 1e-9
"""Lengths that were added up in another order differ by less than this."""


def stage_windows(stages: Sequence[Stage], *, ended_s: float) -> tuple[Window, ...]:
    """Return one window for each stage that began before the run ended.

    Args:
        stages: The shape, in order.
        ended_s: Seconds after the beginning when the last stage ended or the run was cut.
    """
    windows, start_s = [], 0.0
    for stage in stages:
        if start_s >= ended_s - _ROUNDING_S:
            break
        end_s = min(start_s + stage.duration_s, ended_s)
        windows.append(Window(name=stage.name, start_s=start_s, end_s=end_s))
        start_s += stage.duration_s
    return tuple(windows)


def after_warmup(window: Window, warmup_s: float) -> Window:
    """Return the part of ``window`` that starts after the warm-up; it may be empty."""
    start_s = max(window.start_s, warmup_s)
    return Window(name=window.name, start_s=start_s, end_s=max(window.end_s, start_s))


def total_window(ended_s: float, warmup_s: float) -> Window:
    """Return the window of a whole run after its warm-up."""
    return after_warmup(Window(name=TOTAL, start_s=0.0, end_s=ended_s), warmup_s)


def summarise(samples: Measured, duration_s: float) -> RequestSummary:
    """Return the figures of ``samples``, all of which started in a window of ``duration_s`` seconds."""
    latencies = samples.successes
    some = latencies.count > 0
    return RequestSummary(
        samples=len(samples),
        failures=samples.failures,
        mean_ms=latencies.mean_ms if some else None,
        p50_ms=latencies.percentile(P50) if some else None,
        p95_ms=latencies.percentile(P95) if some else None,
        p99_ms=latencies.percentile(P99) if some else None,
        max_ms=latencies.max_ms if some else None,
        throughput_rps=latencies.count / duration_s if duration_s > 0 else 0.0,
    )
