"""What the rows of a report's tables say, before anything is laid out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tailgate.model import TOTAL, Check, Severity, Verdict, count_of, render_beside, render_figure
from tailgate.reports.changes import broken_texts, proven_of, render_outcomes
from tailgate.reports.highlights import is_broken, mark, short_limit, worst_first
from tailgate.reports.record import checks_of
from tailgate.reports.text import NO_FIGURE

SHOWN_CLOSE = 3
"""Limits that were kept closely, listed for a run; the JSON report has all of them."""
_PASSED = {Verdict.PASS, Verdict.WARN}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One request or stage with the check that matters most."""

    name: str
    summary: Mapping[str, Any] | None
    """Its figures; None for a request that a check names and nobody sent."""
    shown: Check | None
    """The worst check, or the closest one if all passed; None where there is none."""
    limit: str
    """What ``shown`` asks for, short."""
    is_short: bool = False
    """Whether a stage never reached its users."""

    @property
    def figure_check(self) -> Check | None:
        """The shown check, if it is about the figures of this very row."""
        is_own = self.shown is not None and TOTAL in (self.shown.window, self.shown.subject)
        return self.shown if is_own else None

    def milliseconds(self, metric: str) -> str:
        """Return a latency of this row with as many digits as the shown check needs."""
        if self.summary is None:
            return NO_FIGURE
        limit = self.figure_check.threshold if self.figure_check else None
        limits = (limit.min, limit.max) if limit and limit.metric == metric else ()
        return milliseconds(self.summary[metric], limits)


def request_rows(record: Mapping[str, Any], checks: Sequence[Check]) -> list[Row]:
    """Return each request of the whole run, also those that only a check knows, and then the total."""
    whole = [check for check in checks if check.window == TOTAL and check.threshold.metric != "count"]
    names = dict.fromkeys([*record["requests"], *(check.subject for check in whole if check.subject != TOTAL)])
    summaries = {**record["requests"], TOTAL: record["total"]}
    return [
        _request_row(name, summaries.get(name), [check for check in whole if check.subject == name])
        for name in [*names, TOTAL]
    ]


def stage_rows(record: Mapping[str, Any], checks: Sequence[Check]) -> list[Row]:
    """Return each stage, marked by the worst of its checks, be they on all requests or on one."""
    return [_stage_row(stage, checks) for stage in record["stages"]]


def counter_rows(record: Mapping[str, Any], checks: Sequence[Check]) -> list[tuple[str, str, Check | None]]:
    """Return each counter, also those that only a check knows: its name, its value, its worst check."""
    own = [check for check in checks if check.threshold.metric == "count"]
    rows = []
    for name in dict.fromkeys([*record["counters"], *(check.subject for check in own)]):
        value = record["counters"].get(name)
        figure = NO_FIGURE if value is None else render_figure("count", value)
        rows.append((name, figure, next(iter(worst_first(check for check in own if check.subject == name)), None)))
    return rows


def milliseconds(value: float | None, limits: Iterable[float | None] = ()) -> str:
    """Return a latency for a column whose title says the unit."""
    if value is None:
        return NO_FIGURE
    text = render_beside("p95_ms", value, limits).removesuffix(" ms")
    return text if len(text) < 12 else f"{value:.3g}"  # noqa: PLR2004 - 1,000,000,000 ms are eleven days


def failures(record: Mapping[str, Any], checks: Sequence[Check], severity: Severity) -> list[str]:
    """Return what failed, or only warns, as sentences: checks, worst first, and comparisons of a duet."""
    broken = [str(check) for check in worst_first(checks) if is_broken(check, severity)]
    return [*broken, *broken_texts(record, severity)]


def close_calls(record: Mapping[str, Any], checks: Sequence[Check]) -> list[str]:
    """Return the limits that were kept so closely that noise may break them next time, as sentences, closest first.

    Of a run that failed nothing: there are worse things to look at.
    """
    close = [check for check in worst_first(checks) if check.is_close and record["verdict"] in _PASSED]
    rest = len(close) - SHOWN_CLOSE
    return [*map(str, close[:SHOWN_CLOSE]), *([f"and {count_of(rest, 'more limit')} likewise"] if rest > 0 else [])]


def finding(record: Mapping[str, Any], checks: Sequence[Check]) -> str:
    """Return what the checks, or the comparisons of a duet, came to; those that only describe a run are not counted."""
    judging = [check for check in checks if check.severity is not Severity.INFO]
    failed = sum(is_broken(check, Severity.FAIL) for check in judging)
    warned = sum(is_broken(check, Severity.WARN) for check in judging)
    if record["verdict"] == Verdict.INVALID:
        return f"cannot be judged for {count_of(len(record['reasons']), 'reason')}"
    if record["duet"]:
        return render_outcomes(record)
    text = f"{failed:,} of {count_of(len(judging), 'check')} failed" if failed else count_of(len(judging), "check")
    if warned:
        text += f", {count_of(warned, 'warning')}"
    # Nothing but checks and the comparison with a baseline can fail a run.
    return f"{text}, the comparison failed" if record["verdict"] == Verdict.FAIL and not failed else text


def passed_of(record: Mapping[str, Any]) -> str:
    """Return how many of the checks, or comparisons of a duet, passed: ``3/4``; what only describes is not counted."""
    if record["duet"]:
        return proven_of(record)
    judging = [check for check in checks_of(record) if check.severity is not Severity.INFO]
    passed = sum(not is_broken(check, check.severity) for check in judging)
    return f"{passed:,}/{len(judging):,}"


def _request_row(name: str, summary: Mapping[str, Any] | None, checks: Sequence[Check]) -> Row:
    shown = worst_first(checks)[0] if checks else None
    return Row(name=name, summary=summary, shown=shown, limit=short_limit(shown) if shown else NO_FIGURE)


def _stage_row(stage: Mapping[str, Any], checks: Sequence[Check]) -> Row:
    own = worst_first(check for check in checks if check.window == stage["name"])
    shown = own[0] if own else None
    limit = NO_FIGURE
    if shown:
        alike = [check for check in own if mark(check) == mark(shown)]
        limit = short_limit(shown) if shown.subject == TOTAL else f"{len(alike)} of {count_of(len(own), 'check')}"
    is_short = stage["users_reached"] < stage["users"]
    level = f"{stage['users_reached']:,} of {stage['users']:,}" if is_short else f"{stage['users']:,}"
    rate_rps = stage.get("arrival_rate_rps")
    load = f"{level} users" if rate_rps is None else f"{rate_rps:g}/s"
    name = f"{stage['name']} ({load})"
    return Row(name=name, summary=stage["summary"], shown=shown, limit=limit, is_short=is_short)
