"""Where baselines are kept: one file for each name and scenario below ``.tailgate/baselines``."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from filelock import FileLock, Timeout

from tailgate.baseline import Baseline
from tailgate.baseline_file import parse_file, render_file
from tailgate.baseline_match import decide
from tailgate.baseline_rules import BaselineRules
from tailgate.errors import BadInput, BaselineFileError
from tailgate.model import Verdict
from tailgate.replacing import replace_text

DEFAULT_NAME = "default"
"""What ``--perf-save`` and ``--perf-compare`` mean without a name."""
DIRECTORY = Path(".tailgate", "baselines")
"""Below the root directory of the tests."""
KEPT_RUNS = 20
"""Saved runs of a name and scenario. More would hardly show more: t is 1.73 with 20 runs, and 1.64 with any number."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_PATIENCE_S = 30.0
_MOST_BYTES = 64 * 2**20
_SUFFIX = ".json"


def check_name(name: str) -> str:
    """Return a name of a baseline as it is.

    Raises:
        BadInput: It could not be the name of a directory everywhere.
    """
    if not _NAME.fullmatch(name):
        wanted = "1 to 64 letters, digits, dots, dashes or underscores, the first a letter or digit"
        raise BadInput([f"{name!r} cannot be the name of a baseline; wanted {wanted}"])
    return name


def file_name(scenario: str) -> str:
    """Return the name of a scenario's file: the scenario's own where it is a safe name, else one made from it."""
    if _NAME.fullmatch(scenario):
        return scenario + _SUFFIX
    # The tilde, which no safe name has, keeps such a file apart from that of any other scenario.
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", scenario).strip("-.")[:40]
    digest = hashlib.sha256(scenario.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{safe}~{digest}{_SUFFIX}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineEntry:
    """What is kept in one file."""

    name: str
    path: Path
    runs: tuple[Baseline, ...] = ()
    """Oldest first."""
    problem: str = ""
    """Why it cannot be read; empty if it can."""


class BaselineStore:
    """The baselines below one directory.

    Files are replaced as a whole, so that reading needs no lock and never sees half a file. Writers take turns.
    """

    def __init__(self, root: Path, *, kept_runs: int = KEPT_RUNS) -> None:
        """Look below ``root``, the root directory of the tests; nothing is made before the first save."""
        self.directory = root / DIRECTORY
        self._root = root
        self._kept_runs = kept_runs

    def load(self, name: str, scenario: str) -> tuple[Baseline, ...]:
        """Return the saved runs, oldest first; none if nothing was saved.

        Raises:
            BadInput: ``name`` is not a safe name.
            BaselineFileError: The file is broken, was written by a newer tailgate, or cannot be read.
        """
        path = self._path(name, scenario)
        text = self._read(path)
        return () if text is None else parse_file(text, path=self._shown(path), scenario=scenario)

    def check_writable(self, name: str) -> None:
        """Refuse a place where nothing could be saved; directories are made, no file is left.

        Raises:
            BadInput: ``name`` is not a safe name.
            BaselineFileError: The system does not let us write there.
        """
        directory = self.directory / check_name(name)
        probe = directory / f".{os.getpid()}.tmp"
        try:
            directory.mkdir(parents=True, exist_ok=True)
            probe.touch()
            probe.unlink()
        except OSError as err:
            raise self._refused(directory, "cannot be written", err) from err

    def save(self, name: str, run: Baseline) -> Path:
        """Add a run to those saved before, and return the path of the file.

        Where there are more than are kept, those are dropped first that a comparison leaves out because a later run
        began too soon after them, and then the oldest. A file that cannot be read is left as it is.

        Raises:
            BadInput: ``name`` is not a safe name.
            BaselineFileError: The file is broken or newer, or the system refused.
            ValueError: The run failed or was invalid; see ``tailgate.baseline.refusal``.
        """
        if run.verdict not in (Verdict.PASS, Verdict.WARN):
            raise ValueError(f"a run whose verdict is {run.verdict} cannot be a baseline")
        path = self._path(name, run.scenario)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self.directory / ".lock", timeout=_PATIENCE_S, mode=0o666):
                runs = _trim((*self.load(name, run.scenario), run), self._kept_runs)
                replace_text(path, render_file(name, run.scenario, runs, tailgate=_version()))
        except Timeout as err:
            reason = f"another process has been writing for {_PATIENCE_S:.0f} s"
            raise BaselineFileError(self._shown(self.directory), reason, "end that process, and run again") from err
        except OSError as err:
            raise self._refused(path, "cannot be written", err) from err
        return path

    def list(self) -> tuple[BaselineEntry, ...]:
        """Return what there is, by name and scenario; files that cannot be read are part of it.

        Raises:
            BaselineFileError: The directory itself cannot be read.
        """
        try:
            paths = sorted(self.directory.glob(f"*/*{_SUFFIX}")) if self._is_there() else []
        except OSError as err:
            raise self._refused(self.directory, "cannot be read", err) from err
        return tuple(self._entry(path) for path in paths if not path.name.startswith("."))

    def _entry(self, path: Path) -> BaselineEntry:
        name = path.parent.name
        try:
            return BaselineEntry(name=name, path=path, runs=parse_file(self._read(path) or "", path=self._shown(path)))
        except BaselineFileError as err:
            return BaselineEntry(name=name, path=path, problem=str(err))

    def _is_there(self) -> bool:
        """Tell whether the directory exists; raises what listing would, which ``glob`` does not."""
        try:
            with os.scandir(self.directory):
                return True
        except FileNotFoundError:
            return False

    def _path(self, name: str, scenario: str) -> Path:
        return self.directory / check_name(name) / file_name(scenario)

    def _read(self, path: Path) -> str | None:
        """Return the text of a file; None if it does not exist."""
        shown = self._shown(path)
        try:
            with path.open("rb") as file:
                raw = file.read(_MOST_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as err:
            raise self._refused(path, "cannot be read", err) from err
        if len(raw) > _MOST_BYTES:
            raise BaselineFileError(shown, f"longer than {_MOST_BYTES:,} bytes", "is it a baseline? move it away")
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError as err:
            reason = f"broken: byte 0x{raw[err.start]:02x} at {err.start:,} is not UTF-8"
            raise BaselineFileError(shown, reason, "move it away, and save again with --perf-save") from err

    def _refused(self, path: Path, what: str, err: OSError) -> BaselineFileError:
        return BaselineFileError(
            self._shown(path), f"{what}: {err.strerror or err}", "check the path and its permissions"
        )

    def _shown(self, path: Path) -> str:
        return str(path.relative_to(self._root))


def _trim(runs: Sequence[Baseline], count: int) -> tuple[Baseline, ...]:
    """Return ``count`` runs, oldest first: without those that tell no more than a later one, then the newest.

    Sessions that load a scenario many times would otherwise push each other out, and too few runs would ever be apart.
    """
    if len(runs) <= count:
        return tuple(runs)
    # Of runs that began at one time, the one that was saved last stands for all.
    newest, latest_first = runs[-1], runs[::-1]
    comparable = decide(newest, latest_first).usable
    told = {id(run) for run in decide(newest, latest_first, min_apart_s=BaselineRules().min_apart_s).usable}
    is_close = {id(run) for run in comparable} - told
    in_order = sorted(runs, key=lambda run: id(run) not in is_close)
    dropped = {id(run) for run in in_order[: len(runs) - count]}
    return tuple(run for run in runs if id(run) not in dropped)


def _version() -> str:
    try:
        return version("pytest-tailgate")
    except PackageNotFoundError:
        return "unknown"
