"""A run without its samples, and the limits that it is judged by, as JSON values and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from tailgate.model import (
    ErrorCount,
    GeneratorHealth,
    GeneratorLimits,
    Scenario,
    Severity,
    Stage,
    Threshold,
    WorkerHealth,
)
from tailgate.run import RunFacts, RunResult
from tailgate.samples import Measured

_SIMPLE = ("test", "scenario", "host", "started_at", "duration_s", "warmup_s", "is_stress")


def render_run(run: RunResult) -> dict[str, Any]:
    """Return all of a run but its samples."""
    return {name: getattr(run, name) for name in _SIMPLE} | {
        "stages": [asdict(stage) for stage in run.stages],
        "users_reached": list(run.users_reached),
        "errors": [asdict(error) for error in run.errors],
        "counters": dict(run.counters),
        "generator": asdict(run.generator),
        "facts": asdict(run.facts),
        "notes": list(run.notes),
    }


def parse_run(values: Mapping[str, Any], samples: Measured) -> RunResult:
    """Return the run that ``render_run`` rendered, with its samples."""
    return RunResult(
        **{name: values[name] for name in _SIMPLE},
        stages=tuple(Stage(**stage) for stage in values["stages"]),
        users_reached=tuple(values["users_reached"]),
        samples=samples,
        errors=_value(values["errors"]),
        counters=values["counters"],
        generator=GeneratorHealth(**{**values["generator"], "workers": _workers(values["generator"])}),
        facts=RunFacts(**{name: _value(value) for name, value in values["facts"].items()}),
        notes=tuple(values["notes"]),
    )


def render_limits(scenario: Scenario) -> dict[str, Any]:
    """Return of a scenario what a run by itself is judged by: no rules of baselines and duets."""
    return {
        "name": scenario.name,
        "warmup_s": scenario.warmup_s,
        "max_task_exceptions": scenario.max_task_exceptions,
        "source": scenario.source,
        "generator": asdict(scenario.generator),
        "thresholds": [asdict(threshold) for threshold in scenario.thresholds],
    }


def parse_limits(values: Mapping[str, Any]) -> Scenario:
    """Return the scenario that ``render_limits`` rendered."""
    own = {field.name: values[field.name] for field in fields(Scenario) if field.name in values}
    thresholds = tuple(Threshold(**{**limit, "severity": Severity(limit["severity"])}) for limit in own["thresholds"])
    return Scenario(**{**own, "thresholds": thresholds, "generator": GeneratorLimits(**own["generator"])})


def _workers(health: Mapping[str, Any]) -> tuple[WorkerHealth, ...]:
    return tuple(WorkerHealth(**worker) for worker in health["workers"])


def _value(value: Any) -> Any:
    """Return a list as the tuple that it was, of errors if those are in it."""
    if not isinstance(value, list):
        return value
    return tuple(ErrorCount(**item) if isinstance(item, dict) else item for item in value)
