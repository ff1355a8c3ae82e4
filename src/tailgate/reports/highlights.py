"""Which of many checks a reader should see, and how it reads in a few characters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tailgate.model import Check, CheckOutcome, Severity, count_of, render_figure, render_limit
from tailgate.reports.text import NO_FIGURE, Style

_WORDS = {"failure_ratio": "failed", "failures": "failed", "throughput_rps": "throughput", "requests": "n"}


def is_broken(check: Check, severity: Severity) -> bool:
    """Tell whether a check of ``severity`` did not pass."""
    return check.outcome is not CheckOutcome.PASS and check.severity is severity


def worst_first(checks: Iterable[Check]) -> list[Check]:
    """Sort checks: broken ones by severity and excess, then those that passed by how close it was."""
    return sorted(checks, key=_urgency, reverse=True)


def mark(check: Check) -> str:
    """Return ``✓`` or ``✗``, ``!`` for a warning, ``·`` for what only describes, a dash where nothing was judged."""
    if check.outcome is CheckOutcome.PASS:
        return NO_FIGURE if check.actual is None else "✓"
    return {Severity.FAIL: "✗", Severity.WARN: "!", Severity.INFO: "·"}[check.severity]


def style(check: Check) -> Style:
    """Return the colour of a check's mark."""
    styles: dict[str, Style] = {"✓": "green", "✗": "bold red", "!": "yellow"}
    return styles.get(mark(check), "")


def short_limit(check: Check) -> str:
    """Return the limit that was broken, or that was closest: ``p95 ≤ 250 ms``."""
    metric = check.threshold.metric
    word = _WORDS.get(metric, metric.removesuffix("_ms").removesuffix("_rps"))
    low, high = check.threshold.min, check.threshold.max
    if low is not None and (high is None or _is_nearer_to_low(check)):
        return f"{word} ≥ {render_limit(metric, low)}"
    return f"{word} ≤ {render_limit(metric, high)}" if high is not None else NO_FIGURE


def render_duration(seconds: float) -> str:
    """Render a length of time: ``12.0 s``, ``2 min 5 s``, ``1 h 2 min``."""
    if round(seconds, 1) < 60:  # noqa: PLR2004 - by the rounded value: 59.96 s is a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:  # noqa: PLR2004 - an hour
        return f"{minutes} min {rest} s"
    return f"{minutes // 60:,} h {minutes % 60} min"


def worker_text(worker: Mapping[str, Any]) -> str:
    """Return how one worker process did: ``1: 783 requests, loop lag p99 1.2 ms, 45 % of one core``."""
    lag, busy = (render_figure(metric, worker[metric]) for metric in ("loop_lag_p99_ms", "cpu_ratio"))
    text = f"{worker['name']}: {count_of(worker['samples'], 'request')}, loop lag p99 {lag}, {busy} of one core"
    if not worker["clock_offset_ms"]:
        return text
    off, error = (render_figure("_ms", worker[name]) for name in ("clock_offset_ms", "clock_error_ms"))
    return f"{text}, clock ahead by {off} (error up to {error})"


def _urgency(check: Check) -> tuple[int, float, float]:
    """Return what ``worst_first`` sorts by."""
    if check.outcome is CheckOutcome.PASS:
        return (0, 0.0, max(_nearness(check)))
    return ({Severity.INFO: 1, Severity.WARN: 2, Severity.FAIL: 3}[check.severity], check.excess_ratio, 0.0)


def _nearness(check: Check) -> tuple[float, float]:
    """Return how near the figure is to its lower and its upper limit; 1 is on the limit, more is beyond it.

    A limit of 0 that is kept counts as far away: there are better things to show than ``failed ≤ 0``.
    """
    low, high, actual = check.threshold.min, check.threshold.max, check.actual
    if actual is None:
        return (0.0, 0.0)
    to_low = 0.0 if not low else low / actual if actual > 0 else float("inf")
    to_high = 0.0 if high is None or actual <= 0 else actual / high if high > 0 else float("inf")
    return (to_low, to_high)


def _is_nearer_to_low(check: Check) -> bool:
    to_low, to_high = _nearness(check)
    return to_low > to_high
