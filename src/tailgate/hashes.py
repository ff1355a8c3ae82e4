"""Short hashes of what a load consists of: two runs of different loads are not to be compared."""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from tailgate.model import Scenario, Stage

_LENGTH = 16
"""Hexadecimal digits: enough that two loads of a suite never share a hash by chance."""


def hash_value(value: Any) -> str:
    """Return the hash of JSON values; the order of keys does not matter, other types count by their text."""
    text = json.dumps(value, sort_keys=True, default=str, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_LENGTH]


def hash_scenario(scenario: Scenario) -> str:
    """Return the hash of a scenario's limits, rules and settings, wherever in the file they stand."""
    content = asdict(scenario)
    content.pop("source")
    for rule in (*content["thresholds"], *content["regressions"]):
        rule.pop("source")
    return hash_value(content)


def hash_shape(shape: object, stages: Sequence[Stage]) -> str:
    """Return the hash of a shape: of its stages, or of its code where it is a ``locust.LoadTestShape``.

    Args:
        shape: What the test passed as ``shape``.
        stages: The stages that were run. Those of a ``LoadTestShape`` are known only afterwards, and their length
            differs from run to run.
    """
    if hasattr(shape, "tick"):
        return hash_value(_code_of(shape if isinstance(shape, type) else type(shape)))
    return hash_value([asdict(stage) for stage in stages])


def hash_users(users: Iterable[type[Any]]) -> str:
    """Return the hash of what users do: their classes' code, down to those of Locust, and their tasks.

    Comments and layout do not count. Code that tasks call in other modules does not either.
    """
    return hash_value([_describe_user(cls) for cls in users])


def _describe_user(cls: type[Any]) -> dict[str, Any]:
    tasks = getattr(cls, "tasks", ())
    return {
        "name": cls.__qualname__,
        "weight": getattr(cls, "weight", 1),
        "fixed_count": getattr(cls, "fixed_count", 0),
        # A task with weight 3 is in the list three times; a task may also be a nested set of tasks.
        "tasks": [getattr(task, "__qualname__", type(task).__qualname__) for task in tasks],
        "code": _code_of(cls),
        "task_code": sorted({part for task in tasks for part in _code_of(task)}),
    }


def _code_of(thing: Any) -> list[str]:
    """Return the code of a function, or of a class and of its bases outside of Locust and Python."""
    if not isinstance(thing, type):
        return [_normalised(thing)]
    bases = (cls for cls in thing.__mro__ if cls.__module__.partition(".")[0] not in {"builtins", "locust", "abc"})
    return [_normalised(cls) for cls in bases]


def _normalised(thing: Any) -> str:
    """Return code without comments and layout; what has no source counts by its name."""
    try:
        return ast.dump(ast.parse(textwrap.dedent(inspect.getsource(thing))))
    except (OSError, TypeError, SyntaxError):
        return str(getattr(thing, "__qualname__", type(thing).__qualname__))
