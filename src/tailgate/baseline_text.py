"""Comparisons with saved runs, and what is saved, as lines that people read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median, stdev

from tailgate.baseline_compare import BaselineComparison, MetricComparison, show_change
from tailgate.baseline_rules import FAILURE_RATIO
from tailgate.baseline_store import BaselineEntry
from tailgate.model import render_figure

_TITLES = ("name", "scenario", "runs", "newest", "commit", "p95", "spread")
_WORDS = {"p95_ms": "p95", "p50_ms": "p50", FAILURE_RATIO: "failure ratio", "throughput_rps": "throughput"}


def render_comparison(comparison: BaselineComparison) -> list[str]:
    """Render a comparison: its outcome, what was found, and what it can see; each line is a sentence."""
    head = f"{comparison.scenario} against baseline {comparison.name!r}: {comparison.outcome}; {comparison.decision}"
    gates = [str(metric) for metric in comparison.metrics if metric.is_gate]
    told = {finding.text for finding in comparison.findings}
    lines = [head]
    if comparison.runs:  # Otherwise the decision is the only finding, and the head has it.
        lines += [f"  {finding.severity}: {finding.text}" for finding in comparison.findings]
        lines += [f"  {text}" for text in gates if text not in told]
    return [*lines, f"  {render_sight(comparison)}"]


def render_sight(comparison: BaselineComparison) -> str:
    """Say what a comparison can see and what it cannot."""
    if not comparison.runs:
        return "It sees nothing: save runs of this very load on this machine with --perf-save first."
    gates = [metric for metric in comparison.metrics if metric.is_gate and metric.detectable is not None]
    if not gates:
        return "It sees nothing: no gate has a value in both this run and a saved one."
    limits = " and ".join(_limit(metric) for metric in gates)
    needed = comparison.rules.min_runs
    runs = min(metric.runs for metric in gates)
    if runs >= needed:
        return (
            f"Runs at different times differ by themselves, here as {runs} saved runs show: it can see {limits}, "
            "nothing smaller."
        )
    noun = "saved run" if runs == 1 else "saved runs"
    return (
        f"Runs at different times differ by themselves, and {runs} {noun} cannot show how far: with an assumed spread "
        f"of {100 * comparison.rules.assumed_spread_ratio:g} % only {limits} would stand out. It sees almost nothing, "
        f"and decides nothing: save {needed - runs} more with --perf-save, at other times."
    )


def render_baseline_list(entries: Sequence[BaselineEntry]) -> list[str]:
    """Render what is saved, a line a file, in columns; a file that cannot be read is told as such."""
    if not entries:
        return ["no baselines are saved; save one with --perf-save"]
    rows = [_TITLES, *(_row(entry) for entry in entries if entry.runs)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_TITLES))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [*(lines if len(rows) > 1 else []), *(f"unusable: {entry.problem}" for entry in entries if entry.problem)]


def _row(entry: BaselineEntry) -> tuple[str, ...]:
    newest = entry.runs[-1]
    values = [value for run in entry.runs if (value := run.total.summary.p95_ms) is not None]
    return (
        entry.name,
        newest.scenario,
        str(len(entry.runs)),
        newest.started_at[:16].replace("T", " "),
        str(newest.commit or "-"),
        render_figure("p95_ms", median(values)) if values else "-",
        _spread(values),
    )


def _spread(values: Sequence[float]) -> str:
    """Return the standard deviation of the logarithms, which is about a share of the value."""
    if len(values) < 2 or min(values) <= 0:  # noqa: PLR2004 - one value has no spread
        return "-"
    return f"{100 * stdev(math.log(value) for value in values):.1f} %"


def _limit(metric: MetricComparison) -> str:
    assert metric.detectable is not None
    change = show_change(metric.metric, metric.detectable)
    name = _WORDS[metric.metric]
    return (
        f"{name} {change} or beyond" if metric.subject == "total" else f"{name} of {metric.subject} {change} or beyond"
    )
