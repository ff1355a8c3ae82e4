"""The Markdown report: what a reviewer needs to see of all load runs, on a page of CI or in a comment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tailgate.model import TOTAL, Check, Severity, Verdict, count_of, render_figure
from tailgate.reports.duet_summary import duet_blocks, duet_head
from tailgate.reports.highlights import mark, render_duration, short_limit, worker_text
from tailgate.reports.markdown import details, inline, table
from tailgate.reports.record import checks_of
from tailgate.reports.rows import (
    Row,
    close_calls,
    counter_rows,
    failures,
    finding,
    milliseconds,
    passed_of,
    request_rows,
    stage_rows,
)
from tailgate.reports.text import NO_FIGURE, TIMES

MARKER = "<!-- tailgate -->"
"""First line of every summary, by which a comment can be found again; a reader does not see it."""

MAX_CHARACTERS = 65_000
"""GitHub takes 65,536 characters for a comment; the rest is for those who add a line. A step summary may have 1 MiB."""

MAX_SENTENCES = 20
"""Checks, errors and notes listed for a run."""

_WORST_FIRST = (Verdict.FAIL, Verdict.INVALID, Verdict.WARN, Verdict.PASS)
_ICONS = {
    Verdict.PASS: "\N{WHITE HEAVY CHECK MARK}",
    Verdict.WARN: "\N{WARNING SIGN}\N{VARIATION SELECTOR-16}",
    Verdict.FAIL: "\N{CROSS MARK}",
    Verdict.INVALID: "\N{NO ENTRY}",
}
_REQUEST_TITLES = (">n", ">failed", ">p50 ms", ">p95 ms", ">p99 ms", "limit", "")
_MAX_SENTENCE = 500
"""Characters; a comparison needs that many to say what it can see."""
_CUT = "_{count} did not fit here; the JSON report has everything._"


@dataclass(frozen=True, slots=True)
class _Block:
    """A piece that is shown whole or not at all."""

    rank: int
    """Of two that do not both fit, the lower one stays."""
    text: str


def render_markdown(records: Sequence[Mapping[str, Any]], *, limit: int = MAX_CHARACTERS) -> str:
    """Render all runs of a session: verdict, a table of runs, then for each what went wrong and, folded away, figures.

    Runs that did not pass come first. Whatever a service or a test wrote is shown as text: it makes no markup, and
    calls nobody.

    Args:
        records: From ``run_record``.
        limit: Characters of the result at most, 40,000 or more; blocks that do not fit are left out and counted.
    """
    ordered = sorted(records, key=lambda record: _WORST_FIRST.index(record["verdict"]))
    blocks = [block for record in ordered for block in _run(record, checks_of(record))]
    return _fit(_head(ordered), blocks, limit)


def _head(ordered: Sequence[Mapping[str, Any]]) -> str:
    """Return what stands above all: the worst verdict, how many of each, one row a run."""
    if not ordered:
        icon = _ICONS[Verdict.INVALID]
        return f"{MARKER}\n\n## {icon} Load tests: nothing was loaded\n\nNo load test ran, so nothing can be said."
    worst = Verdict(ordered[0]["verdict"])
    seen = Counter(record["verdict"] for record in ordered)
    counts = ", ".join(f"{seen[verdict]:,} {verdict}" for verdict in _WORST_FIRST if seen[verdict])
    titles = ("verdict", "scenario", ">checks passed", ">requests", ">failed", ">p95 ms", ">time")
    runs = table(titles, [_run_row(record) for record in ordered])
    title = f"## {_ICONS[worst]} Load tests: {worst}"
    return "\n\n".join([MARKER, title, f"{count_of(len(ordered), 'load run')}: {counts}", runs])


def _run_row(record: Mapping[str, Any]) -> list[str]:
    total = record["total"]
    return [
        f"{_ICONS[record['verdict']]} {record['verdict']}",
        record["scenario"],
        passed_of(record),
        f"{total['samples']:,}",
        f"{total['failures']:,}",
        milliseconds(total["p95_ms"]),
        render_duration(record["duration_s"] or 0.0),
    ]


def _run(record: Mapping[str, Any], checks: Sequence[Check]) -> Iterator[_Block]:
    """Yield what went wrong in a run, if anything did, what a duet found, and the figures."""
    icon = _ICONS[record["verdict"]]
    if record["verdict"] == Verdict.PASS and not record["duet"]:
        title = f"{icon} {record['scenario']}: {finding(record, checks)}"
    else:
        about = f"{inline(record['scenario'])}: {finding(record, checks)}"
        head = [f"### {icon} {about}", *duet_head(record), f"In {inline(record['test'])}"]
        parts = [*head, "\n".join(_sentences(record, checks)), *duet_blocks(record)]
        yield _Block(0, "\n\n".join(part for part in parts if part))
        whose = "candidate's " if record["duet"] else ""
        title = f"{record['scenario']}: {whose}requests, stages, counters"
    yield _Block(1, details(title, _figures(record, checks)))


def _sentences(record: Mapping[str, Any], checks: Sequence[Check]) -> Iterator[str]:
    """Yield what went wrong as items of a list, worst first, each begun by a word that says what it is."""
    invalid = "invalid" if record["verdict"] == Verdict.INVALID else "reason"
    errors = [f"{error['count']:,} {TIMES} {error['where']}: {error['error']}" for error in record["errors"]]
    yield from _items(invalid, record["reasons"])
    yield from _items("failed", failures(record, checks, Severity.FAIL))
    yield from _items("warning", failures(record, checks, Severity.WARN))
    yield from _items("close", close_calls(record, checks))
    yield from _items("error", errors)
    yield from _items("note", record["notes"])
    yield from _items("compared", record["comparison"])


def _items(label: str, sentences: Sequence[str]) -> Iterator[str]:
    yield from (f"- {label}: {inline(sentence, _MAX_SENTENCE)}" for sentence in sentences[:MAX_SENTENCES])
    if len(sentences) > MAX_SENTENCES:
        yield f"- {label}: and {len(sentences) - MAX_SENTENCES:,} more"


def _figures(record: Mapping[str, Any], checks: Sequence[Check]) -> Iterator[str]:
    """Yield the tables of a run, and what else is to be known of it."""
    *requests, total = request_rows(record, checks)
    yield table(("request", *_REQUEST_TITLES), [_row(row) for row in (total, *requests)])
    if len(record["stages"]) > 1:
        yield table(("stage", *_REQUEST_TITLES), [_row(row) for row in stage_rows(record, checks)])
    if record["tiers"]:
        yield _tiers(record["tiers"])
    counters = [_counter(*counter) for counter in counter_rows(record, checks)]
    if counters:
        yield table(("counter", ">value", "limit", ""), counters)
    yield "\n".join(_remarks(record, checks))


def _row(row: Row) -> list[str]:
    samples, failures = (row.summary["samples"], row.summary["failures"]) if row.summary else (0, 0)
    latencies = [row.milliseconds(metric) for metric in ("p50_ms", "p95_ms", "p99_ms")]
    return [row.name, f"{samples:,}", f"{failures:,}", *latencies, row.limit, mark(row.shown) if row.shown else ""]


def _tiers(tiers: Mapping[str, Any]) -> str:
    """Return the p95 of each tier, of all requests and by name."""
    titles = [f">{inline(tier['name'])}" for tier in tiers[TOTAL]["tiers"]]
    names = [TOTAL, *(name for name in tiers if name != TOTAL)]
    rows = [[name, *(milliseconds(tier["p95_ms"]) for tier in tiers[name]["tiers"])] for name in names]
    return table(("p95 ms by tier", *titles), rows)


def _counter(name: str, value: str, shown: Check | None) -> list[str]:
    return [name, value, short_limit(shown) if shown else NO_FIGURE, mark(shown) if shown else ""]


def _remarks(record: Mapping[str, Any], checks: Sequence[Check]) -> Iterator[str]:
    """Yield what explains a run's figures, as items of a list."""
    if record["verdict"] == Verdict.PASS and not record["duet"]:  # Of others these stand with what went wrong.
        yield from _items("close", close_calls(record, checks))
        yield from _items("error", [f"{error['count']:,} {TIMES} {error['where']}" for error in record["errors"]])
        yield from _items("note", record["notes"])
        yield from _items("compared", record["comparison"])
    if not record["duet"]:
        yield from _items("no limit names", record["uncovered"])
    health = record["generator"]
    lag, busy = (_figure(metric, health[metric]) for metric in ("loop_lag_p99_ms", "cpu_ratio"))
    yield f"- generator: loop lag p99 {lag}, {busy} of one core"
    yield from _items("worker", [worker_text(worker) for worker in health["workers"]])
    yield f"- latencies: {inline(record['resolution'])}"
    yield f"- started: {inline(record['started_at'])}"


def _figure(metric: str, value: float | None) -> str:
    return NO_FIGURE if value is None else render_figure(metric, value)


def _fit(head: str, blocks: Sequence[_Block], limit: int) -> str:
    """Join as many blocks as there is room for, in their order, and say how many are missing."""
    room = limit - len(head) - len(_CUT) - len("1,000,000 parts") - 3
    kept = set()
    for index in sorted(range(len(blocks)), key=lambda index: blocks[index].rank):
        size = len(blocks[index].text) + 2
        if size <= room:
            kept.add(index)
            room -= size
    parts = [head, *(blocks[index].text for index in sorted(kept))]
    missing = len(blocks) - len(kept)
    if missing:
        parts.append(_CUT.format(count=count_of(missing, "part")))
    return "\n\n".join(parts) + "\n"
