"""What ``tailgate calibrate`` learned about this class of machine, kept in ``.tailgate/noise-floor.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from tailgate.baseline_match import BLOCKING, Difference
from tailgate.errors import BaselineFileError
from tailgate.fingerprint import take_fingerprint
from tailgate.model import count_of
from tailgate.replacing import replace_text

PATH = Path(".tailgate", "noise-floor.json")
"""Below the root directory of the tests."""
SCHEMA_VERSION = 1
"""Raised when a key of the file changes its meaning or goes away."""
MACHINE = (
    "cpu_model",
    "cpu_count",
    "usable_cpu_count",
    "cpu_limit",
    "memory_bytes",
    "memory_limit_bytes",
    "machine",
)
"""Fields of the fingerprint that make a class of machine; a new kernel or Python does not make another one."""

_START_AGAIN = "move it away, and learn it again with tailgate calibrate"
_PATIENCE_S = 30.0
_SCHEMA = {
    "type": "object",
    "required": ["schema", "floors"],
    "properties": {
        "schema": {"const": SCHEMA_VERSION},
        "floors": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["machine", "ratio", "duets", "false_alarms", "learned_on"],
                "properties": {
                    "machine": {"type": "object", "required": list(MACHINE)},
                    "ratio": {"type": "number", "minimum": 0, "maximum": 1},
                    "duets": {"type": "integer", "minimum": 1},
                    "false_alarms": {"type": "integer", "minimum": 0},
                    "learned_on": {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$"},
                },
            },
        },
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseFloor:
    """How much two pairs of processes of one build differ on one class of machine."""

    machine: Mapping[str, Any]
    """The fields ``MACHINE`` of the fingerprint, as JSON values."""
    ratio: float
    """Standard deviation, as a ratio: 0.01 is 1 %."""
    duets: int
    """Duets of a build against itself that it was learned from."""
    false_alarms: int
    """Comparisons of these that were called regressed."""
    learned_on: str
    """ISO 8601 date."""

    @classmethod
    def of_this_machine(cls, *, ratio: float, duets: int, false_alarms: int) -> NoiseFloor:
        """Return what was learned here and today."""
        today = datetime.now(UTC).astimezone().date()
        return cls(
            machine=this_machine(),
            ratio=ratio,
            duets=duets,
            false_alarms=false_alarms,
            learned_on=today.isoformat(),
        )

    def __str__(self) -> str:
        duets, alarms = count_of(self.duets, "duet"), count_of(self.false_alarms, "false alarm")
        return f"noise floor {100 * self.ratio:.2g} %, learned here from {duets} on {self.learned_on} ({alarms})"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFloor:
    """What is known about this class of machine."""

    floor: NoiseFloor | None
    reason: str = ""
    """Why there is none, in a sentence; empty if there is."""

    @property
    def ratio(self) -> float | None:
        """The floor as a ratio; None if there is none."""
        return self.floor.ratio if self.floor else None


def this_machine() -> dict[str, Any]:
    """Return what makes the class of this machine."""
    fingerprint = take_fingerprint()
    return {field: fingerprint[field] for field in MACHINE}


def load_noise_floor(root: Path) -> FoundFloor:
    """Return the floor that was learned on this class of machine, or why there is none.

    Args:
        root: Directory that holds ``.tailgate``.

    Raises:
        BaselineFileError: The file is broken, was written by a newer tailgate, or cannot be read.
    """
    text = _read(root)
    if text is None:
        return _none("does not exist")
    return find_floor(parse_floors(text), this_machine())


def save_noise_floor(root: Path, floor: NoiseFloor) -> Path:
    """Keep a floor in place of the one of the same class of machine, and return the path of the file.

    Raises:
        BaselineFileError: The file is broken or newer, or the system refused.
    """
    path = root / PATH
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(".noise-floor.lock"), timeout=_PATIENCE_S, mode=0o666):
            others = [one for one in parse_floors(_read(root) or _EMPTY) if _differences(one.machine, floor.machine)]
            replace_text(path, render_floors([*others, floor]))
    except Timeout as err:
        reason = f"another process has been writing for {_PATIENCE_S:.0f} s"
        raise BaselineFileError(str(PATH), reason, "end that process, and run again") from err
    except OSError as err:
        raise _refused("cannot be written", err) from err
    return path


def find_floor(floors: Sequence[NoiseFloor], machine: Mapping[str, Any]) -> FoundFloor:
    """Return the floor of a class of machine, or why there is none."""
    found = [(floor, _differences(floor.machine, machine)) for floor in floors]
    for floor, differences in found:
        if not differences:
            return FoundFloor(floor=floor)
    if not found:
        return _none("holds none")
    _, nearest = min(found, key=lambda one: len(one[1]))
    return _none(f"is of another class of machine: {'; '.join(map(str, nearest))}")


def _none(why: str) -> FoundFloor:
    reason = f"no noise floor was learned on this class of machine: {PATH} {why}; tailgate calibrate learns it"
    return FoundFloor(floor=None, reason=reason)


def render_floors(floors: Sequence[NoiseFloor]) -> str:
    """Return the text of the file."""
    return json.dumps({"schema": SCHEMA_VERSION, "floors": [asdict(floor) for floor in floors]}, indent=2) + "\n"


def parse_floors(text: str) -> tuple[NoiseFloor, ...]:
    """Return the floors in the text of the file.

    Raises:
        BaselineFileError: The text is not such a file, or one of a newer form.
    """
    try:
        document = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as err:  # nested a thousand deep
        raise BaselineFileError(str(PATH), f"broken: not JSON: {err}", _START_AGAIN) from err
    version = document.get("schema") if isinstance(document, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        reason = f"schema {version}, written by a newer tailgate; this one reads schema {SCHEMA_VERSION}"
        raise BaselineFileError(str(PATH), reason, "upgrade tailgate")
    error = best_match(Draft202012Validator(_SCHEMA).iter_errors(document))
    if error is not None:
        raise BaselineFileError(str(PATH), f"broken: {error.json_path}: {error.message[:200]}", _START_AGAIN)
    return tuple(NoiseFloor(**{**floor, "ratio": float(floor["ratio"])}) for floor in document["floors"])


_EMPTY = render_floors([])


def _refuse_constant(text: str) -> float:
    raise ValueError(f"{text} is not a number that JSON can hold")


def _differences(learned: Mapping[str, Any], machine: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Return in what two machines differ so much that they are of different classes."""
    return tuple(
        Difference(field=field, baseline=learned[field], candidate=machine[field])
        for field in MACHINE
        if not BLOCKING[f"fingerprint.{field}"](learned[field], machine[field])
    )


def _read(root: Path) -> str | None:
    """Return the text of the file; None if it does not exist."""
    try:
        return (root / PATH).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as err:
        raise BaselineFileError(str(PATH), f"broken: not UTF-8: {err.reason}", _START_AGAIN) from err
    except OSError as err:
        raise _refused("cannot be read", err) from err


def _refused(what: str, err: OSError) -> BaselineFileError:
    return BaselineFileError(str(PATH), f"{what}: {err.strerror or err}", "check the path and its permissions")
