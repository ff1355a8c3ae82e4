"""The file format of baselines: the saved runs of one scenario as readable JSON, and back."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import ValidationError, best_match

from tailgate.baseline import Baseline, Blocks, Series
from tailgate.errors import BaselineFileError
from tailgate.fingerprint import Commit
from tailgate.model import RequestSummary, Verdict

SCHEMA_VERSION = 1
"""Raised when a key of the file changes its meaning or goes away."""

_START_AGAIN = "move it away, and save again with --perf-save"
_BLOCK_COLUMNS = ("samples", "failures", "p50_ms", "p95_ms", "max_ms")


@cache
def baseline_schema() -> dict[str, Any]:
    """Return the packaged JSON Schema (2020-12) of a file."""
    schema: dict[str, Any] = json.loads((files("tailgate") / "baseline.schema.json").read_text(encoding="utf-8"))
    return schema


def render_file(name: str, scenario: str, runs: Sequence[Baseline], *, tailgate: str) -> str:
    """Return the text of the file that keeps ``runs``, oldest first.

    Args:
        name: Name of the baseline.
        scenario: Scenario of every run.
        runs: At least one.
        tailgate: Version that writes.
    """
    document = {
        "schema": SCHEMA_VERSION,
        "tailgate": tailgate,
        "name": name,
        "scenario": scenario,
        "runs": [baseline_record(run) for run in runs],
    }
    return _render(document) + "\n"


def parse_file(text: str, *, path: str, scenario: str | None = None) -> tuple[Baseline, ...]:
    """Return the runs in the text of a file, oldest first.

    Args:
        text: The whole file.
        path: What messages call it.
        scenario: The scenario whose file this ought to be; None takes whichever it is.

    Raises:
        BaselineFileError: The text is not such a file, or one of a newer form or of another scenario.
    """
    document = _read_json(text, path)
    _check_version(document, path)
    error = best_match(_VALIDATOR(baseline_schema()).iter_errors(document))
    if error is not None:
        raise BaselineFileError(path, f"broken: {error.json_path}: {_short(error.message)}", _START_AGAIN)
    if scenario is not None and document["scenario"] != scenario:
        found = f"is the baseline of scenario {document['scenario']!r}, wanted {scenario!r}"
        raise BaselineFileError(path, found, "give it its own name back")
    for number, record in enumerate(document["runs"]):
        _check_run(record, f"$.runs[{number}]", path)
    return tuple(parse_record(record) for record in document["runs"])


def _check_run(record: Mapping[str, Any], place: str, path: str) -> None:
    """Refuse what the schema cannot tell: a time that is none, columns of unequal length."""
    try:
        datetime.fromisoformat(record["started_at"])
    except ValueError as err:
        raise BaselineFileError(path, f"broken: {place}.started_at: {err}", _START_AGAIN) from err
    for name, series in [("total", record["total"]), *record["requests"].items()]:
        if len({len(series["blocks"][column]) for column in _BLOCK_COLUMNS}) > 1:
            reason = f"broken: {place}: the columns of the blocks of {_short(name)} differ in length"
            raise BaselineFileError(path, reason, _START_AGAIN)


def baseline_record(run: Baseline) -> dict[str, Any]:
    """Return a run as JSON values, which may also cross a border between processes."""
    record = asdict(run)
    record["verdict"] = run.verdict.value
    record["total"] = _series_record(run.total)
    record["requests"] = {key: _series_record(series) for key, series in run.requests.items()}
    return record


def parse_record(record: Mapping[str, Any]) -> Baseline:
    """Return the run that ``baseline_record`` turned into ``record``, which keeps the schema."""
    fields = dict(record)
    fields["verdict"] = Verdict(record["verdict"])
    fields["total"] = _series(record["total"])
    fields["requests"] = {key: _series(item) for key, item in record["requests"].items()}
    fields["stages"] = tuple(record["stages"])
    fields["commit"] = Commit(**record["commit"]) if record["commit"] else None
    return Baseline(**fields)


def _series_record(series: Series) -> dict[str, Any]:
    return {
        "summary": asdict(series.summary),
        "blocks": {column: list(getattr(series.blocks, column)) for column in _BLOCK_COLUMNS},
    }


def _series(record: Mapping[str, Any]) -> Series:
    blocks = {column: tuple(record["blocks"][column]) for column in _BLOCK_COLUMNS}
    return Series(summary=RequestSummary(**record["summary"]), blocks=Blocks(**blocks))


def _read_json(text: str, path: str) -> Any:
    try:
        return json.loads(text, parse_constant=_number, parse_float=_number)
    except (ValueError, RecursionError) as err:  # nested a thousand deep
        raise BaselineFileError(path, f"broken: not JSON: {err}", _START_AGAIN) from err


def _number(text: str) -> float:
    """Return a finite number: Python's reader would take ``NaN``, and ``1e999`` for infinity."""
    if not math.isfinite(number := float(text)):
        raise ValueError(f"{text} is not a number that JSON can hold")
    return number


def _check_items(validator: Any, items: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    """Do what ``items`` does, quickly for a right column of numbers: a file has tens of thousands of them."""
    types = _COLUMN_TYPES.get(items.get("$ref", "")) if isinstance(items, dict) else None
    if types and isinstance(instance, list):
        is_right = all(type(value) in types and (value is None or value >= 0) for value in instance)
        if is_right:
            return
    yield from Draft202012Validator.VALIDATORS["items"](validator, items, instance, schema)


_COLUMN_TYPES: Mapping[str, tuple[type, ...]] = {"#/$defs/count": (int,), "#/$defs/latency": (int, float, type(None))}
_VALIDATOR: Any = validators.extend(  # type: ignore[no-untyped-call] # jsonschema does not type it
    Draft202012Validator, {"items": _check_items}
)


def _check_version(document: Any, path: str) -> None:
    version = document.get("schema") if isinstance(document, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        writer = _short(str(document.get("tailgate", "unknown")))
        reason = f"schema {version}, written by tailgate {writer}; this one reads schema {SCHEMA_VERSION}"
        raise BaselineFileError(path, reason, "upgrade tailgate, or save under another name")


def _render(value: Any, indent: str = "") -> str:
    """Render JSON with one line a key, and a whole column of numbers on one line."""
    inner = indent + "  "
    if isinstance(value, Mapping) and value:
        items = [f"{json.dumps(key, ensure_ascii=False)}: {_render(item, inner)}" for key, item in value.items()]
        return "{\n" + ",\n".join(inner + item for item in items) + f"\n{indent}}}"
    if isinstance(value, list | tuple) and any(isinstance(item, Mapping | list | tuple) for item in value):
        return "[\n" + ",\n".join(inner + _render(item, inner) for item in value) + f"\n{indent}]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _short(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:200]}…"  # noqa: PLR2004 - a line or two
