"""The terminal report: what a person needs to believe a verdict, in 80 columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tailgate.model import TOTAL, Check, Severity, Verdict, count_of, render_figure
from tailgate.reports.duet_terminal import duet_lines
from tailgate.reports.highlights import mark, render_duration, style, worker_text
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
from tailgate.reports.table import MIN_NAME_WIDTH, Column, render_table
from tailgate.reports.text import (
    LABEL_WIDTH,
    NO_FIGURE,
    TIMES,
    Screen,
    Span,
    Style,
    cell_width,
    flow,
    sentences,
    some_of,
)

SHOWN_ERRORS = 5
"""Kinds of failure listed for a run; the JSON report has all of them."""

_LATENCIES = ("p50_ms", "p95_ms", "p99_ms")
_FAILURES = {"failures", "failure_ratio"}
_COLUMNS = (
    Column(align="left"),
    Column(drop=2),  # n
    Column(drop=1),  # failed
    Column(drop=4),  # p50
    Column(),  # p95
    Column(drop=3),  # p99
    Column(align="left", drop=5),  # limit
    Column(align="left"),  # mark
)
_STYLES: dict[str, Style] = {"pass": "green", "warn": "yellow", "fail": "bold red", "invalid": "bold red"}


def render_run(record: Mapping[str, Any], width: int = 80, *, color: bool = False, unicode: bool = True) -> list[str]:
    """Render one run: its table, what went wrong in full sentences, and one line of verdict.

    Args:
        record: From ``run_record``.
        width: Cells of a line; no line is wider.
        color: Whether to use ANSI colours.
        unicode: False for an output whose encoding cannot show ``✓``.
    """
    screen = Screen(width=width, color=color, unicode=unicode)
    checks = checks_of(record)
    blocks = _sentences(record, checks, screen)
    if record["duet"]:
        figures = duet_lines(record, screen)
    else:
        figures = _tables(record, checks, screen)
        counters = [*_tiers(record, screen), *_counters(record, checks, screen)]
        blocks = [*counters, *blocks, *some_of("uncovered", record["uncovered"], screen)]
    lines = [_title(record, screen), *figures, *([[], *blocks] if blocks else []), [], _verdict(record, checks, screen)]
    return [screen.line(line) for line in lines]


def render_summary(
    records: Sequence[Mapping[str, Any]], width: int = 80, *, color: bool = False, unicode: bool = True
) -> list[str]:
    """Render the overview of a session, one line a run; nothing for a single run, which has said it all."""
    if len(records) < 2:  # noqa: PLR2004 - several
        return []
    screen = Screen(width=width, color=color, unicode=unicode)
    columns = (Column(align="left"), Column(align="left"), *(Column(drop=drop) for drop in (0, 2, 3, 0, 1)))
    titles = ("verdict", "scenario", "checks", "requests", "failed", "p95 ms", "time")
    rows = [[Span(title, "dim") for title in titles], *(_summary_row(record, screen) for record in records)]
    seen = Counter(record["verdict"] for record in records)
    counts = [Span(f"{seen[verdict]} {verdict}", _STYLES[verdict]) for verdict in Verdict if seen[verdict]]
    tail = [span for item in counts for span in (Span(", "), item)][1:]
    return [
        *(screen.line(line) for line in render_table(columns, rows, screen, name=1)),
        "",
        screen.line([Span(f"{count_of(len(records), 'load run')}: "), *tail]),
    ]


def _title(record: Mapping[str, Any], screen: Screen) -> list[Span]:
    """Return the rule above a run, with its scenario and its test."""
    rule = screen.clean("─")
    width = screen.layout_width
    scenario = screen.shorten(screen.clean(record["scenario"]), width // 2)
    room = width - cell_width(scenario) - 10
    test = screen.shorten(screen.clean(record["test"]), room)
    fill = rule * (room - cell_width(test) + 2)
    return [Span(f"{rule * 2} ", "dim"), Span(scenario, "bold"), Span(f" {fill} {test} {rule * 2}", "dim")]


def _tables(record: Mapping[str, Any], checks: Sequence[Check], screen: Screen) -> list[list[Span]]:
    """Return the rows of all requests and, where there were several, of all stages, in common columns."""
    rows = [_titles("request", screen), *(_row(row, screen) for row in request_rows(record, checks))]
    if len(record["stages"]) > 1:
        rows += [[], _titles("stage", screen), *(_row(row, screen) for row in stage_rows(record, checks))]
    return render_table(_COLUMNS, rows, screen)


def _titles(first: str, screen: Screen) -> list[Span]:
    names = (first, "n", "failed", "p50 ms", "p95 ms", "p99 ms", "limit", "")
    return [Span(screen.clean(name), "dim") for name in names]


def _row(row: Row, screen: Screen) -> list[Span]:
    """Return the cells of a request or a stage; the figure that the shown check broke stands out."""
    name = Span(screen.clean(row.name), "yellow" if row.is_short else "")
    return [name, *_figures(row, screen), *_judgement(row, screen)]


def _figures(row: Row, screen: Screen) -> list[Span]:
    """Return the cells between the name and the limit."""
    if row.summary is None:
        return [Span("0"), *[Span(screen.clean(NO_FIGURE))] * 4]
    check = row.figure_check
    metric = check.threshold.metric if check else ""
    tint: Style = style(check) if check and mark(check) in {"✗", "!"} else ""
    cells = [Span(f"{row.summary['samples']:,}", tint if metric == "requests" else "")]
    cells.append(Span(f"{row.summary['failures']:,}", tint if metric in _FAILURES else ""))
    cells += [Span(screen.clean(row.milliseconds(key)), tint if key == metric else "") for key in _LATENCIES]
    return cells


def _judgement(row: Row, screen: Screen) -> list[Span]:
    """Return the cells of the limit and its mark."""
    if row.shown is None:
        return [Span(screen.clean(NO_FIGURE)), Span("")]
    tint = style(row.shown)
    limit = Span(screen.clean(row.limit), "" if tint == "green" else tint)
    return [limit, Span(screen.clean(mark(row.shown)), tint)]


def _counters(record: Mapping[str, Any], checks: Sequence[Check], screen: Screen) -> list[list[Span]]:
    """Return the counters, each with the mark of its worst check."""
    items = []
    for name, figure, shown in counter_rows(record, checks):
        text = f"{name} {figure} {mark(shown)}" if shown else f"{name} {figure}"
        tint = style(shown) if shown else ""
        items.append(Span(screen.clean(text), "" if tint == "green" else tint))
    return flow("counters", items, width=screen.layout_width, gap="   ") if items else []


def _tiers(record: Mapping[str, Any], screen: Screen) -> list[list[Span]]:
    """Return the p95 of each tier over all requests, if servers told; the JSON report has those of each name."""
    tiers = record["tiers"][TOTAL]["tiers"] if TOTAL in record["tiers"] else []
    items = [Span(screen.clean(f"{tier['name']} {render_figure('p95_ms', tier['p95_ms'])}")) for tier in tiers]
    return flow("tiers p95", items, width=screen.layout_width, gap="   ") if items else []


def _sentences(record: Mapping[str, Any], checks: Sequence[Check], screen: Screen) -> list[list[Span]]:
    """Return what went wrong, worst first, then what else is worth knowing."""
    blocks: list[tuple[str, Sequence[str], Style]] = [
        ("invalid" if record["verdict"] == Verdict.INVALID else "reasons", record["reasons"], "bold red"),
        ("failed", failures(record, checks, Severity.FAIL), "red"),
        ("warnings", failures(record, checks, Severity.WARN), "yellow"),
        ("close", close_calls(record, checks), ""),
        ("errors", _errors(record["errors"], screen), ""),
        ("notes", record["notes"], ""),
        ("compared", record["comparison"], ""),
        ("workers", [worker_text(worker) for worker in record["generator"]["workers"]], ""),
    ]
    return [line for label, texts, tint in blocks for line in sentences(label, texts, screen, tint)]


def _errors(errors: Sequence[Mapping[str, Any]], screen: Screen) -> list[str]:
    """Return the most frequent kinds of failure, each cut to two lines, for some carry a whole answer."""
    room = 2 * (screen.layout_width - LABEL_WIDTH) - 10
    shown = [
        screen.shorten(screen.clean(f"{error['count']:,} {TIMES} {error['where']}: {error['error']}"), room)
        for error in errors[:SHOWN_ERRORS]
    ]
    rest = errors[SHOWN_ERRORS:]
    if rest:
        shown.append(f"and {sum(error['count'] for error in rest):,} more of {count_of(len(rest), 'other kind')}")
    return shown


def _verdict(record: Mapping[str, Any], checks: Sequence[Check], screen: Screen) -> list[Span]:
    """Return the last line: the verdict, and how much it rests on as far as there is room."""
    word = record["verdict"].upper()
    scenario = screen.clean(record["scenario"])
    parts = [finding(record, checks), f"{_amount(record)} in {render_duration(record['duration_s'] or 0.0)}"]
    for shown in (", ".join(parts), parts[0]):
        room = screen.layout_width - len(f"{word} : {shown}")
        if room >= min(cell_width(scenario), MIN_NAME_WIDTH):
            break
    return [Span(word, _STYLES[record["verdict"]]), Span(f" {screen.shorten(scenario, max(room, 1))}: {shown}")]


def _amount(record: Mapping[str, Any]) -> str:
    """Return how much was loaded: requests, or the rounds of a duet, whose requests are only the candidate's."""
    if record["duet"]:
        return count_of(record["duet"]["rounds"], "round")
    return count_of(record["total"]["samples"], "request")


def _summary_row(record: Mapping[str, Any], screen: Screen) -> list[Span]:
    """Return one run's line of the overview."""
    tint = _STYLES[record["verdict"]]
    total = record["total"]
    return [
        Span(record["verdict"].upper(), tint),
        Span(screen.clean(record["scenario"]), "" if tint == "green" else tint),
        Span(passed_of(record)),
        Span(f"{total['samples']:,}"),
        Span(f"{total['failures']:,}"),
        Span(screen.clean(milliseconds(total["p95_ms"]))),
        Span(render_duration(record["duration_s"] or 0.0)),
    ]
