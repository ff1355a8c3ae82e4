"""The schema of the thresholds file, and a plain sentence for each way to break it."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from tailgate.yaml_lines import KeyPath, shorten

_UNITS = {
    "_ms": "a bare number of milliseconds, such as 250",
    "_s": "a bare number of seconds, such as 1",
    "_ratio": "a ratio from 0 to 1, such as 0.01 for 1 %",
    "_rps": "a bare number of requests a second, such as 20",
}
_OF_RULES = {"max_change": "a difference per request, such as 0.01", "alpha": "a probability, such as 0.05"}
_NO_METRICS = frozenset({"severity", "min_samples", "allow_no_data", "regression"})
_PERCENTAGES = 100
PROCESSOR_TIME = "cpu_ms"
"""Metric of a rule: the processor time of the services, which no request has of its own."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One way in which a value breaks the schema."""

    path: KeyPath
    text: str
    is_absence: bool = False
    """True when something is missing: of no interest where what stands there is wrong anyway."""


@cache
def threshold_schema() -> dict[str, Any]:
    """Return the packaged JSON Schema of the thresholds file."""
    schema: dict[str, Any] = json.loads((files("tailgate") / "thresholds.schema.json").read_text(encoding="utf-8"))
    return schema


def is_metric(name: str) -> bool:
    """Tell whether a request can have a limit of this name, such as ``p99.9_ms`` or ``failure_ratio``."""
    block = threshold_schema()["$defs"]["block"]
    if name in block["properties"]:
        return name not in _NO_METRICS
    return any(re.search(pattern, name) for pattern in block["patternProperties"])


def check_schema(data: Any) -> Iterator[Finding]:
    """Find every way in which ``data`` breaks the schema; each finding names the real cause."""
    for error in Draft202012Validator(threshold_schema()).iter_errors(data):
        yield from _explain(error)


@dataclass(frozen=True, slots=True)
class _Breach:
    """What jsonschema says of one error."""

    keyword: str
    wanted: Any
    """The keyword's value in the schema."""
    found: Any
    schema: dict[str, Any]
    """The part of the schema that holds the keyword."""
    path: KeyPath


def _explain(error: ValidationError) -> Iterator[Finding]:
    """Turn an error of jsonschema into findings; the schema is flat, so no error hides others."""
    schema: Any = error.schema
    path = tuple(error.absolute_path)
    breach = _Breach(str(error.validator), error.validator_value, error.instance, schema, path)
    if breach.keyword == "additionalProperties":
        yield from _unknown_keys(breach)
    elif breach.keyword == "pattern" and "propertyNames" in error.absolute_schema_path:
        text = f"{breach.found!r} cannot be a name: it is empty or holds a control character"
        yield Finding((*path, breach.found), text)
    elif breach.keyword == "required":
        text = f"is missing; write a mapping such as {_example(schema['properties']['scenarios'])}"
        yield Finding((*path, "scenarios"), text, is_absence=True)
    elif breach.keyword in _MISSING:
        yield Finding(path, _MISSING[breach.keyword](breach), is_absence=True)
    else:
        yield Finding(path, _WRONG[breach.keyword](breach))


def _unknown_keys(breach: _Breach) -> Iterator[Finding]:
    known = breach.schema["properties"]
    patterns = breach.schema.get("patternProperties", ())
    for key in breach.found:
        if key not in known and not any(re.search(pattern, key) for pattern in patterns):
            wanted = [name for name in known if name != "regression" or breach.path[-1:] != ("total",)]
            yield Finding((*breach.path, key), f"{key!r} is not known here; {_advise(key, wanted)}")


def _advise(key: str, known: Iterable[str]) -> str:
    percentile = re.fullmatch(r"p([0-9]{1,3}(?:\.[0-9]*)?)_?(?:ms)?", key)
    if percentile and not 0 < float(percentile[1]) < _PERCENTAGES:
        return "percentiles lie above p0 and below p100: use max_ms for the slowest request, or p99.9_ms"
    if is_metric(key) and "total" in known:
        return f"put it under total, or under a request: 'total: {{{key}: ...}}'"
    return _suggest(key, known)


def _suggest(word: str, known: Iterable[str]) -> str:
    """Name the nearest of the ``known`` words, or all of them: ``did you mean 'p95_ms'?``."""
    known = list(known)
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"wanted one of {', '.join(known)}"


def _explain_type(breach: _Breach) -> str:
    if breach.found is None:
        return "is empty; write a value or delete the line, null removes nothing here"
    accepted = [breach.wanted] if isinstance(breach.wanted, str) else [name for name in breach.wanted if name != "null"]
    text = f"{_show(breach.found)} is not of type {accepted[0]!r}; wanted {_describe(breach, accepted)}"
    is_quoted = isinstance(breach.found, str) and re.fullmatch(r"[-+]?[0-9.]+", breach.found)
    return f"{text}; write it without quotes" if is_quoted else text


def _describe(breach: _Breach, accepted: list[str]) -> str:
    match accepted:
        case ["number"]:
            return _unit(breach.path)
        case ["number", "object"]:
            return f"{_unit(breach.path)}, or a mapping with min or max"
        case ["integer"]:
            return "a whole number"
        case ["boolean"]:
            return "true or false"
        case ["array"]:
            return f"a list such as {_example(breach.schema)}"
    return f"a mapping such as {_example(breach.schema)}"


def _unit(path: KeyPath) -> str:
    """Describe the number that belongs at ``path``, by the unit in the name of its metric or setting."""
    if path[-1] in _OF_RULES:
        return _OF_RULES[str(path[-1])]
    names = [key for key in path[-2:] if isinstance(key, str)]
    if "counters" not in path:
        for suffix, text in _UNITS.items():
            if any(name.endswith(suffix) for name in names):
                return text
    return "a bare number, such as 100"


def _example(schema: dict[str, Any], number: int = 0) -> str:
    text = yaml.safe_dump(schema["examples"][number], default_flow_style=True, width=1000, sort_keys=False)
    return str(text).strip()


def _explain_minimum(breach: _Breach) -> str:
    wanted = _unit(breach.path) if "number" in breach.schema["type"] else "a whole number"
    return f"{_show(breach.found)} is less than the minimum of {breach.wanted}; wanted {wanted}"


def _explain_maximum(breach: _Breach) -> str:
    text = f"{_show(breach.found)} is greater than the maximum of {breach.wanted}; a ratio is a share of 1"
    if breach.found <= _PERCENTAGES:
        text += f": write {breach.found / _PERCENTAGES:g} for {breach.found:g} %"
    return text


def _explain_enum(breach: _Breach) -> str:
    known = [value for value in breach.wanted if value is not None]
    text = f"{_show(breach.found)} is not one of {', '.join(map(repr, known))}"
    near = difflib.get_close_matches(str(breach.found).lower(), known, n=1)
    return f"{text}; did you mean {near[0]!r}?" if near else text


def _explain_metric(breach: _Breach) -> str:
    if breach.found == PROCESSOR_TIME:
        return f"{PROCESSOR_TIME} is of the whole service; put it into the regression: of the scenario"
    known = ("p50_ms", "p95_ms", "p99_ms", *breach.schema["examples"][1:])
    return f"{breach.found!r} is no metric that a duet compares; {_suggest(breach.found, known)}"


def _show(value: Any) -> str:
    """Render a value as it stands in YAML, shortened."""
    return json.dumps(value) if value is None or isinstance(value, bool) else shorten(repr(value))


_WRONG: dict[str, Callable[[_Breach], str]] = {
    "type": _explain_type,
    "minimum": _explain_minimum,
    "maximum": _explain_maximum,
    "enum": _explain_enum,
    "pattern": _explain_metric,
    "not": lambda _: "stands in a block of limits; put it beside total, which is what it is about there",
}
_MISSING: dict[str, Callable[[_Breach], str]] = {
    "minProperties": lambda breach: f"is empty; add an entry such as {_example(breach.schema)}",
    "minItems": lambda breach: f"is empty; write a list such as {_example(breach.schema, -1)}",
    "anyOf": lambda _: "sets neither min nor max, so it checks nothing; add one of them",
}
