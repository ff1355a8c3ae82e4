"""The terminal report: what a person needs to believe a verdict, in 80 columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tailgate.model import TOTAL, Check, Severity, Verdict, render_beside, render_figure
from tailgate.reports.highlights import count_of, is_broken, mark, render_duration, short_limit, style, worst_first
from tailgate.reports.record import checks_of
from tailgate.reports.table import MIN_NAME_WIDTH, Column, render_table
from tailgate.reports.text import LABEL_WIDTH, NO_FIGURE, TIMES, Screen, Span, Style, cell_width, flow, words

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
    lines = [_title(record, screen), *_tables(record, checks, screen)]
    blocks = [*_counters(record, checks, screen), *_sentences(record, checks, screen), *_uncovered(record, screen)]
    if blocks:
        lines += [[], *blocks]
    lines += [[], _verdict(record, checks, screen)]
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
    whole = [check for check in checks if check.window == TOTAL and check.threshold.metric != "count"]
    names = dict.fromkeys([*record["requests"], *(check.subject for check in whole if check.subject != TOTAL)])
    rows = [_titles("request", screen)]
    for name in names:
        own = [check for check in whole if check.subject == name]
        rows.append(_row(Span(screen.clean(name)), record["requests"].get(name), own, screen))
    rows.append(_row(Span(TOTAL), record["total"], [check for check in whole if check.subject == TOTAL], screen))
    if len(record["stages"]) > 1:
        rows += [[], _titles("stage", screen)]
        rows += [_stage_row(stage, checks, screen) for stage in record["stages"]]
    return render_table(_COLUMNS, rows, screen)


def _titles(first: str, screen: Screen) -> list[Span]:
    names = (first, "n", "failed", "p50 ms", "p95 ms", "p99 ms", "limit", "")
    return [Span(screen.clean(name), "dim") for name in names]


def _row(name: Span, summary: Mapping[str, Any] | None, checks: Sequence[Check], screen: Screen) -> list[Span]:
    """Return the row of one request, with the check that matters most."""
    shown = worst_first(checks)[0] if checks else None
    limit = short_limit(shown) if shown else NO_FIGURE
    return [*_figures(name, summary, shown, screen), *_judgement(limit, shown, screen)]


def _stage_row(stage: Mapping[str, Any], checks: Sequence[Check], screen: Screen) -> list[Span]:
    """Return the row of one stage, marked by the worst of its checks, be they on all requests or on one."""
    own = worst_first(check for check in checks if check.window == stage["name"])
    shown = own[0] if own else None
    limit = NO_FIGURE
    if shown:
        broken = [check for check in own if mark(check) == mark(shown)]
        limit = short_limit(shown) if shown.subject == TOTAL else f"{len(broken)} of {count_of(len(own), 'check')}"
    is_reached = stage["users_reached"] >= stage["users"]
    users = f"{stage['users']:,}" if is_reached else f"{stage['users_reached']:,} of {stage['users']:,}"
    name = Span(f"{screen.clean(stage['name'])} ({users} users)", "" if is_reached else "yellow")
    on_all = shown if shown and shown.subject == TOTAL else None
    return [*_figures(name, stage["summary"], on_all, screen), *_judgement(limit, shown, screen)]


def _figures(name: Span, summary: Mapping[str, Any] | None, shown: Check | None, screen: Screen) -> list[Span]:
    """Return the cells up to the limit; the figure that the shown check broke stands out."""
    if summary is None:
        return [name, Span("0"), *[Span(screen.clean(NO_FIGURE))] * 4]
    metric = shown.threshold.metric if shown else ""
    tint: Style = style(shown) if shown and mark(shown) in {"✗", "!"} else ""
    cells = [name, Span(f"{summary['samples']:,}", tint if metric == "requests" else "")]
    cells.append(Span(f"{summary['failures']:,}", tint if metric in _FAILURES else ""))
    for key in _LATENCIES:
        limits = (shown.threshold.min, shown.threshold.max) if shown and key == metric else ()
        cells.append(Span(screen.clean(_milliseconds(summary[key], limits)), tint if key == metric else ""))
    return cells


def _milliseconds(value: float | None, limits: Iterable[float | None] = ()) -> str:
    """Return a latency for a column whose title says the unit."""
    if value is None:
        return NO_FIGURE
    text = render_beside("p95_ms", value, limits).removesuffix(" ms")
    return text if len(text) < 12 else f"{value:.3g}"  # noqa: PLR2004 - 1,000,000,000 ms are eleven days


def _judgement(limit: str, shown: Check | None, screen: Screen) -> list[Span]:
    """Return the cells of the limit and its mark."""
    if shown is None:
        return [Span(screen.clean(NO_FIGURE)), Span("")]
    tint = style(shown)
    return [Span(screen.clean(limit), "" if tint == "green" else tint), Span(screen.clean(mark(shown)), tint)]


def _counters(record: Mapping[str, Any], checks: Sequence[Check], screen: Screen) -> list[list[Span]]:
    """Return the counters, each with the mark of its worst check."""
    own = [check for check in checks if check.threshold.metric == "count"]
    items = []
    for name in dict.fromkeys([*record["counters"], *(check.subject for check in own)]):
        value = record["counters"].get(name)
        figure = NO_FIGURE if value is None else render_figure("count", value)
        shown = next(iter(worst_first(check for check in own if check.subject == name)), None)
        text = f"{name} {figure} {mark(shown)}" if shown else f"{name} {figure}"
        tint = style(shown) if shown else ""
        items.append(Span(screen.clean(text), "" if tint == "green" else tint))
    return flow("counters", items, width=screen.layout_width, gap="   ") if items else []


def _sentences(record: Mapping[str, Any], checks: Sequence[Check], screen: Screen) -> list[list[Span]]:
    """Return what went wrong, worst first, then what else is worth knowing."""
    ordered = worst_first(checks)
    blocks: list[tuple[str, Sequence[str], Style]] = [
        ("invalid" if record["verdict"] == Verdict.INVALID else "reasons", record["reasons"], "bold red"),
        ("failed", [str(check) for check in ordered if is_broken(check, Severity.FAIL)], "red"),
        ("warnings", [str(check) for check in ordered if is_broken(check, Severity.WARN)], "yellow"),
        ("errors", _errors(record["errors"], screen), ""),
        ("notes", record["notes"], ""),
    ]
    lines = []
    for label, sentences, tint in blocks:
        for index, sentence in enumerate(sentences):
            items = words(screen.clean(sentence), tint)
            lines += flow("" if index else label, items, width=screen.layout_width, hang=2)
    return lines


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


def _uncovered(record: Mapping[str, Any], screen: Screen) -> list[list[Span]]:
    """Return one line with the requests that no check names, as many as fit."""
    names = [screen.clean(name) for name in record["uncovered"]]
    if not names:
        return []
    room = screen.layout_width - LABEL_WIDTH
    for shown in range(len(names), 0, -1):
        rest = f" and {len(names) - shown:,} more" if shown < len(names) else ""
        text = ", ".join(names[:shown]) + rest
        if cell_width(text) <= room:
            return [[Span("uncovered".ljust(LABEL_WIDTH), "dim"), Span(text)]]
    text = screen.shorten(names[0], room - len(rest)) + rest
    return [[Span("uncovered".ljust(LABEL_WIDTH), "dim"), Span(text)]]


def _verdict(record: Mapping[str, Any], checks: Sequence[Check], screen: Screen) -> list[Span]:
    """Return the last line: the verdict, and how much it rests on as far as there is room."""
    word = record["verdict"].upper()
    scenario = screen.clean(record["scenario"])
    requests = count_of(record["total"]["samples"], "request")
    parts = [_finding(record, checks), f"{requests} in {render_duration(record['duration_s'] or 0.0)}"]
    for shown in (", ".join(parts), parts[0]):
        room = screen.layout_width - len(f"{word} : {shown}")
        if room >= min(cell_width(scenario), MIN_NAME_WIDTH):
            break
    return [Span(word, _STYLES[record["verdict"]]), Span(f" {screen.shorten(scenario, max(room, 1))}: {shown}")]


def _finding(record: Mapping[str, Any], checks: Sequence[Check]) -> str:
    """Return what the checks came to; those that only describe a run are not counted."""
    judging = [check for check in checks if check.severity is not Severity.INFO]
    failed = sum(is_broken(check, Severity.FAIL) for check in judging)
    warned = sum(is_broken(check, Severity.WARN) for check in judging)
    if record["verdict"] == Verdict.INVALID:
        return f"cannot be judged for {count_of(len(record['reasons']), 'reason')}"
    text = f"{failed:,} of {count_of(len(judging), 'check')} failed" if failed else count_of(len(judging), "check")
    return f"{text}, {count_of(warned, 'warning')}" if warned else text


def _summary_row(record: Mapping[str, Any], screen: Screen) -> list[Span]:
    """Return one run's line of the overview."""
    tint = _STYLES[record["verdict"]]
    judging = [check for check in checks_of(record) if check.severity is not Severity.INFO]
    passed = sum(not is_broken(check, check.severity) for check in judging)
    total = record["total"]
    return [
        Span(record["verdict"].upper(), tint),
        Span(screen.clean(record["scenario"]), "" if tint == "green" else tint),
        Span(f"{passed:,}/{len(judging):,}"),
        Span(f"{total['samples']:,}"),
        Span(f"{total['failures']:,}"),
        Span(screen.clean(_milliseconds(total["p95_ms"]))),
        Span(render_duration(record["duration_s"] or 0.0)),
    ]
