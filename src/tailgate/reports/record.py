"""The record of a run: what every report is made from, as plain JSON values that may cross process borders."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from numbers import Integral, Real
from typing import Any

from tailgate.duet_text import render_change
from tailgate.model import (
    TOTAL,
    BeyondLimit,
    Change,
    Check,
    CheckOutcome,
    Judged,
    Outcome,
    RegressionRule,
    Severity,
    Threshold,
    printable,
)

SCHEMA_VERSION = 1
"""Raised when a key of the document changes its meaning or goes away."""

SIGNIFICANT_DIGITS = 6


def run_record(judged: Judged) -> dict[str, Any]:
    """Return a judged run as one item of ``runs`` in the report.

    Only ``dict``, ``list``, ``str``, ``int``, ``float``, ``bool`` and ``None`` are left in it. Fractions are rounded
    to six significant digits, a number that JSON cannot hold (NaN, infinity) is None.
    """
    return {
        "test": _plain(judged.test),
        "scenario": _plain(judged.scenario),
        "started_at": _plain(judged.started_at),
        "duration_s": _plain(judged.duration_s),
        "verdict": _plain(judged.verdict),
        "reasons": _plain(judged.reasons),
        "checks": [_check_record(check) for check in judged.checks],
        "total": _plain(asdict(judged.total)),
        "requests": {_plain(name): _plain(asdict(summary)) for name, summary in judged.requests.items()},
        "counters": _plain(judged.counters),
        "stages": [_plain(asdict(stage)) for stage in judged.stages],
        "errors": [_plain(asdict(error)) for error in judged.errors],
        "uncovered": _plain(judged.uncovered),
        "generator": _plain(asdict(judged.generator)),
        "fingerprint": _plain(judged.fingerprint),
        "notes": _plain(judged.notes),
        "comparison": _plain([sentence.strip() for sentence in judged.comparison]),
        "duet": _plain(asdict(judged.duet)) if judged.duet else None,
        "changes": [_change_record(change) for change in judged.changes],
        "tiers": {_plain(name): _plain(asdict(summary)) for name, summary in judged.tiers.items()},
        "resolution": _plain(judged.resolution),
    }


def report_document(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the whole report of a session; ``report.schema.json`` describes it."""
    return {"schema": SCHEMA_VERSION, "tailgate": _version(), "runs": list(records)}


def report_schema() -> dict[str, Any]:
    """Return the packaged JSON Schema (2020-12) of the report."""
    schema: dict[str, Any] = json.loads(files("tailgate.reports").joinpath("report.schema.json").read_text("utf-8"))
    return schema


def checks_of(record: Mapping[str, Any]) -> list[Check]:
    """Return the checks of a run's record as the values that they were."""
    return [_check(item) for item in record["checks"]]


def changes_of(record: Mapping[str, Any]) -> list[Change]:
    """Return the changes of a duet's record as the values that they were."""
    return [_change(item) for item in record["changes"]]


def _check_record(check: Check) -> dict[str, Any]:
    """Return one check as an item of ``checks``, its limits to the last digit."""
    given = {"min": check.threshold.min, "max": check.threshold.max}
    limit = {side: _finite(value) for side, value in given.items() if value is not None}
    return {
        "subject": _plain(check.subject),
        "window": _plain(check.window),
        "metric": _plain(check.threshold.metric),
        "actual": _round_beside(check.actual, limit.values()),
        "limit": limit,
        "samples": _plain(check.samples),
        "outcome": _plain(check.outcome),
        "severity": _plain(check.severity),
        "source": _plain(check.threshold.source),
        "note": _plain(check.note),
        "breakdown": _plain(check.breakdown),
        "beyond": _beyond_record(check.beyond) if check.beyond else None,
    }


def _beyond_record(beyond: BeyondLimit) -> dict[str, Any]:
    """Return the shares of requests as they are told, each still on its side of what is allowed."""
    allowed = _finite(beyond.allowed)
    shares = {"share": beyond.share, "low": beyond.low, "high": beyond.high}
    return {name: _round_beside(value, [allowed]) for name, value in shares.items()} | {"allowed": allowed}


def _check(item: Mapping[str, Any]) -> Check:
    """Return the check that ``_check_record`` wrote."""
    subject, metric = item["subject"], item["metric"]
    threshold = Threshold(
        kind="counter" if metric == "count" else "total" if subject == TOTAL else "request",
        subject=subject,
        metric=metric,
        min=item["limit"].get("min"),
        max=item["limit"].get("max"),
        severity=Severity(item["severity"]),
        source=item["source"],
    )
    return Check(
        threshold=threshold,
        subject=subject,
        window=item["window"],
        actual=item["actual"],
        samples=item["samples"],
        outcome=CheckOutcome(item["outcome"]),
        note=item["note"],
        severity=Severity(item["severity"]),
        breakdown=item["breakdown"],
        beyond=BeyondLimit(**item["beyond"]) if item["beyond"] else None,
    )


def _change_record(change: Change) -> dict[str, Any]:
    """Return one change as an item of ``changes``: its fields, those of its rule that a reader needs, its sentence."""
    own = {name: value for name, value in asdict(change).items() if name != "rule"}
    rule = {name: getattr(change.rule, name) for name in ("metric", "max_change", "alpha", "source")}
    record: dict[str, Any] = _plain({**own, **rule, "text": render_change(change)})
    return record


def _change(item: Mapping[str, Any]) -> Change:
    """Return the change that ``_change_record`` wrote."""
    subject, metric, severity = item["subject"], item["metric"], Severity(item["severity"])
    rule = RegressionRule(
        kind="counter" if metric == "count" else "total" if subject == TOTAL else "request",
        subject=subject,
        metric=metric,
        stage=None if item["window"] == TOTAL else item["window"],
        max_change=item["max_change"],
        alpha=item["alpha"],
        severity=severity,
        source=item["source"],
    )
    told = {field.name: item[field.name] for field in fields(Change) if field.name != "rule"}
    told |= {"outcome": Outcome(item["outcome"]), "severity": severity, "reasons": tuple(item["reasons"])}
    # An estimate always has bounds; those that JSON cannot hold are infinite.
    for estimate, low, high in (("change", "low", "high"), ("pooled", "pooled_low", "pooled_high")):
        if told[estimate] is not None:
            told |= {name: end for name, end in ((low, -math.inf), (high, math.inf)) if told[name] is None}
    return Change(rule=rule, **told)


def _round_beside(value: float | None, limits: Iterable[float | None]) -> float | None:
    """Round a figure, unless the rounded one would stand on another side of a limit than the figure itself."""
    exact = _finite(value)
    if exact is None or isinstance(exact, int):
        return exact
    rounded = _round(exact)
    same_side = all(
        (exact > limit, exact < limit) == (rounded > limit, rounded < limit) for limit in limits if limit is not None
    )
    return rounded if same_side else exact


def _finite(value: float | None) -> float | None:
    """Return the number as Python's own int or float; None for what JSON cannot hold."""
    try:
        if value is None or not math.isfinite(value):
            return None
    except OverflowError:  # An int that no float can hold, nor most readers of JSON.
        return None
    return int(value) if isinstance(value, Integral) else float(value)


def _plain(value: Any) -> Any:
    """Return ``value`` with nothing but JSON values in it, however deep, fractions rounded."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Mapping):
        return {_plain(str(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, Real):
        finite = _finite(value)  # type: ignore[arg-type]
        return finite if finite is None or isinstance(finite, int) else _round(finite)
    return printable(str(value))


def _round(value: float) -> float:
    """Round to six significant digits, but never an integral digit."""
    if value == 0:
        return 0.0
    return round(value, max(0, SIGNIFICANT_DIGITS - 1 - math.floor(math.log10(abs(value)))))


def _version() -> str:
    """Return the version of the installed distribution; ``unknown`` in a bare source tree."""
    try:
        return version("pytest-tailgate")
    except PackageNotFoundError:
        return "unknown"
