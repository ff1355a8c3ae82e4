"""The configuration of the simulator: defaults, then a file, then the environment; the load tests read it too."""

from __future__ import annotations

import difflib
import json
import logging
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from tailgate import BadInput, Stage
from tailgate.shapes import check_stages
from tailgate.yaml_lines import KeyPath, Problem, YamlDocument, read_yaml

HERE = Path(__file__).parent
FILE_VARIABLE = "SIMULATOR_CONFIG"
VARIABLES: Mapping[str, KeyPath] = {
    "PRODUCT_SERVICE_URL": ("service", "base_url"),
    "SIMULATOR_SHAPE": ("load_profile", "shape"),
}
"""What beats the file, by the name of the variable."""

_SCHEMA: dict[str, Any] = json.loads((HERE / "config.schema.json").read_text(encoding="utf-8"))
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeCase:
    """A purchase that has one right answer only."""

    name: str
    """Of the request, in the statistics."""
    product: str
    quantity: int = 1
    expected_status: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What the simulator does."""

    base_url: str
    timeout_s: float
    """How long an answer may take."""
    shape: str
    """Name of the shape to run where no number of users is asked for; ``none`` for no shape."""
    stages: tuple[Stage, ...]
    """What the shape called ``stages`` consists of."""
    weights: Mapping[str, int]
    """How often each task is done beside the others, by its name."""
    categories: tuple[str, ...]
    edge_cases: tuple[EdgeCase, ...]


def load_configuration(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Configuration:
    """Return the defaults, overridden key by key by the file and then by the environment.

    A file that is not there is a warning.

    Args:
        path: The file; None takes ``SIMULATOR_CONFIG``, or else ``config.yaml`` beside this module.
        environ: Variables; one that is empty counts as absent.

    Raises:
        BadInput: The file or the environment cannot be used; holds all problems.
    """
    path = path or Path(environ.get(FILE_VARIABLE) or HERE / "config.yaml")
    document = _read(path)
    overrides = {key: environ[name] for name, key in VARIABLES.items() if environ.get(name)}
    problems = [*_file_problems(document, str(path)), *_environment_problems(overrides)]
    if problems:
        raise BadInput(problems)
    data = merge(_defaults(_SCHEMA), document.data or {})
    for key, value in overrides.items():
        data = merge(data, _nested(key, value))
    return _configuration(data)


def merge(base: Any, over: Any) -> Any:
    """Return ``base`` with what ``over`` says; mappings are merged key by key, anything else is replaced."""
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return over
    return base | {key: merge(base.get(key), value) for key, value in over.items()}


def _read(path: Path) -> YamlDocument:
    try:
        return read_yaml(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        _LOG.warning("%s: no such file; the simulator runs with its defaults", path)
        return read_yaml("")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadInput([f"{path}: cannot be read: {reason}; wanted a file in UTF-8"]) from error


def _file_problems(document: YamlDocument, name: str) -> list[str]:
    problems = list(document.problems)
    if document.data is not None:
        breaches = list(_breaches(document.data))
        found = [*breaches, *_contradictions(document.data, {path[:1] for path, _ in breaches})]
        problems += [Problem(document.lines[path], path, text) for path, text in found]
    return [problem.render(name) for problem in sorted(problems, key=attrgetter("line"))]


def _environment_problems(overrides: Mapping[KeyPath, str]) -> Iterator[str]:
    names = {key: name for name, key in VARIABLES.items()}
    for key, value in overrides.items():
        yield from (f"{names[key]}: {text}" for _, text in _breaches(_nested(key, value)))


def _breaches(data: Any) -> Iterator[tuple[KeyPath, str]]:
    """Yield where ``data`` breaks the schema and how; nothing is required, so each layer is checked by itself."""
    for error in Draft202012Validator(_SCHEMA).iter_errors(data):
        path = tuple(error.absolute_path)
        if error.validator == "additionalProperties":
            known = list(error.schema["properties"])
            yield from (((*path, key), _unknown(key, known)) for key in error.instance if key not in known)
        else:
            yield path, _explain(error)


def _contradictions(data: Any, broken: Collection[KeyPath]) -> Iterator[tuple[KeyPath, str]]:
    """Yield what a schema cannot say: what is right piece by piece, and could not be run; ``broken`` parts are left."""
    sound = {key: part for key, part in data.items() if (key,) not in broken} if isinstance(data, dict) else {}
    if "stages" in sound.get("load_profile", {}):
        try:
            check_stages(_stages(sound["load_profile"]["stages"]))
        except BadInput as error:
            yield from ((("load_profile", "stages"), problem) for problem in error.problems)
    weights = _defaults(_SCHEMA["properties"]["scenario_weights"]) | sound.get("scenario_weights", {})
    if not any(weights.values()):
        yield ("scenario_weights",), "every weight is 0, so nothing would be done; raise one of them"


def _unknown(key: str, known: list[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    advice = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
    return f"is not known here; {advice}"


def _explain(error: ValidationError) -> str:
    what = f"{error.instance!r} cannot be used" if error.validator == "pattern" else error.message
    return f"{what}; wanted: {error.schema['description']}"


def _defaults(schema: Mapping[str, Any]) -> Any:
    if "default" in schema:
        return schema["default"]
    return {name: _defaults(part) for name, part in schema["properties"].items()}


def _nested(path: KeyPath, value: Any) -> Any:
    for key in reversed(path):
        value = {key: value}
    return value


def _stages(written: Iterable[Mapping[str, Any]]) -> tuple[Stage, ...]:
    return tuple(
        Stage(
            name=f"stage_{number}",
            duration_s=stage["duration_seconds"],
            users=int(stage["users"]),
            spawn_rate=stage.get("spawn_rate"),
        )
        for number, stage in enumerate(written, start=1)
    )


def _configuration(data: Mapping[str, Any]) -> Configuration:
    service, profile, test_data = data["service"], data["load_profile"], data["test_data"]
    return Configuration(
        base_url=service["base_url"].rstrip("/"),
        timeout_s=service["timeout_seconds"],
        shape=profile["shape"],
        stages=_stages(profile["stages"]),
        weights={task: int(weight) for task, weight in data["scenario_weights"].items()},
        categories=tuple(test_data["categories"]),
        edge_cases=tuple(EdgeCase(**case) for case in test_data["edge_cases"]),
    )
