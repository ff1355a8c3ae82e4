"""What a duet found, in one sentence a change; every report uses these words."""

from __future__ import annotations

import math
from collections.abc import Callable

from tailgate.model import TOTAL, Change, Outcome, Severity, count_of, render_figure

_WORDS = {"failure_ratio": "failure ratio", "cpu_ms": "processor time per request", "count": "count per request"}
_TENTHS_BELOW = 10
"""Percentages below this are worth a decimal where there is no room for exactness."""


def render_change(change: Change) -> str:
    """Render a change: where, the outcome, both values, the change with its interval, the limit and the data behind it.

    ``total: p95 unchanged, 23.1 -> 23.4 ms: +1.2 % (-2.1 to +4.6 %), limit +10.0 % (4 rounds, 12,040 and 11,980
    samples; could have failed +16 %)``.
    """
    head = f"{render_place(change)}: {metric_words(change.rule.metric)} {outcome_words(change)}"
    why = f": {'; '.join(change.reasons)}" if change.reasons else ""
    if change.base is None or change.candidate is None:
        return head + why
    text = f"{head}, {render_values(change)}"
    if change.change is not None:
        text += f": {render_interval(change)}"
    if not is_unasked(change):
        text += f", limit {render_size(change, change.rule.max_change)}"
    return f"{text} ({_data(change)}){why}"


def render_place(change: Change) -> str:
    """Render what was compared: ``total``, ``GET Home [recovery]``."""
    return change.subject if change.window == TOTAL else f"{change.subject} [{change.window}]"


def metric_words(metric: str) -> str:
    """Return what people call a metric: ``p95``, ``failure ratio``."""
    return _WORDS.get(metric) or metric.removesuffix("_ms")


def outcome_words(change: Change) -> str:
    """Return the outcome; of what no rule asked for, which has none, what is known about it."""
    if not is_unasked(change):
        return str(change.outcome)
    return {Outcome.REGRESSED: "slower", Outcome.IMPROVED: "faster"}.get(change.outcome, "not told apart")


def render_values(change: Change) -> str:
    """Render both values with one unit: ``23.1 -> 23.4 ms``; only for a change that has them."""
    assert change.base is not None
    assert change.candidate is not None
    before, after = (_figure(change.rule.metric, value) for value in (change.base, change.candidate))
    number, _, unit = after.partition(" ")
    return f"{before.removesuffix(f' {unit}') if unit else before} -> {number}{f' {unit}' if unit else ''}"


def render_interval(change: Change) -> str:
    """Render the change with its interval, ``+1.2 % (-2.1 to +4.6 %)``; empty for a change without an estimate."""
    if change.change is None or change.low is None or change.high is None:
        return ""
    return _interval(change, change.change, change.low, change.high)


def render_size(change: Change, size: float) -> str:
    """Render the size of a change of this kind: ``+10.0 %``, ``+0.50 points``, ``+0.02``."""
    number, unit = _scale(change)
    return f"{number(size)}{unit}" if math.isfinite(size) else "any"


def render_detectable(change: Change) -> str:
    """Render the smallest change that this duet would have failed, roughly: ``+16 %``; empty where it is not known."""
    size = change.detectable
    if size is None or not math.isfinite(size):
        return ""
    if change.rule.is_ratio:
        percent = 100 * size
        return f"{percent:+,.{1 if abs(percent) < _TENTHS_BELOW else 0}f} %"
    return render_size(change, size)


def _figure(metric: str, value: float) -> str:
    if metric == "count":
        return f"{value:,.3g}"
    # Three digits, however small: processor time per request is often below a millisecond.
    return render_figure(metric, value, extra=_missing_digits(value) if metric.endswith("_ms") else 0)


def _missing_digits(value: float) -> int:
    return max(0, 1 - math.floor(math.log10(value))) if 0 < value < _TENTHS_BELOW else 0


def is_unasked(change: Change) -> bool:
    """Tell whether no rule asked for the change, so that it has no limit either."""
    return change.severity is Severity.INFO and not change.rule.source


def _interval(change: Change, value: float, low: float, high: float) -> str:
    number, unit = _scale(change)
    ends = " to ".join(number(end) if math.isfinite(end) else "any" for end in (low, high))
    return f"{render_size(change, value)} ({ends}{unit if math.isfinite(high) else ''})"


def _scale(change: Change) -> tuple[Callable[[float], str], str]:
    """Return what renders the number of a change of this kind, and the unit behind it."""
    if change.rule.is_ratio:
        return lambda size: f"{100 * size:+,.1f}", " %"
    if change.rule.metric == "failure_ratio":
        return lambda size: f"{100 * size:+,.2f}", " points"
    return lambda size: f"{size:+,.3g}", ""


def _data(change: Change) -> str:
    rounds = count_of(change.rounds, "round")
    parts = [f"{rounds}, {change.base_samples:,} and {change.candidate_samples:,} samples"]
    is_typical = change.low is not None and change.low > change.rule.max_change
    if change.outcome is Outcome.REGRESSED and not is_typical and change.pooled is not None:
        # What made it fail: the requests of a few very slow seconds.
        low, high = (math.inf if end is None else end for end in (change.pooled_low, change.pooled_high))
        parts.append(f"over all requests {_interval(change, change.pooled, low, high)}")
    if detectable := render_detectable(change):
        parts.append(f"could have failed {detectable}")
    return "; ".join(parts)
