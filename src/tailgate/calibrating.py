"""Try the gate itself: play a build against itself, learn the noise floor, and count how often the gate was wrong."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from tailgate.compare import FEWEST_RUNS, ProcessPair, learn_noise_floor
from tailgate.duet_text import metric_words, outcome_words, render_interval, render_place, render_size
from tailgate.errors import TailgateError
from tailgate.model import Change, Outcome, Severity, Verdict, count_of
from tailgate.noise_floor import NoiseFloor, save_noise_floor
from tailgate.reports.record import changes_of

_USEFUL_STATUS = frozenset({0, 1})
"""Of pytest: tests passed, or some failed, as by a false alarm."""
_LINES = 30
"""How much of pytest's output is shown when it could not play."""


Found = tuple[str, Change]
"""A scenario, and one comparison that its rules asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Duets that were played alike."""

    title: str
    found: tuple[Found, ...]
    invalid: tuple[str, ...]
    """Why each of the invalid ones was; their comparisons are not among the found."""


def calibrate(*, duets: int, inject: float | None, pytest_args: Sequence[str]) -> int:
    """Play duets in the project of the working directory, print what they say, and keep the noise floor.

    Returns:
        0; 1 when the gate called a build a regression of itself.

    Raises:
        TailgateError: pytest could not play, such as without a test that has something to compare.
    """
    alike = _play_series("A/A", duets, pytest_args)
    all_series = [alike]
    if inject is not None:
        extra = [f"--perf-inject={inject:g}", *pytest_args]
        all_series.append(_play_series(f"+{100 * inject:g} %", duets, extra))
    _say("")
    for line in render_table(all_series):
        _say(line)
    for series in all_series:
        for reason in series.invalid:
            _say(f"{series.title}: an invalid duet was left out: {reason}")
    _keep_floor(alike)
    if alarms := _alarms(alike):
        _say(
            f"false alarms: {len(alarms)} of {len(alike.found)} comparisons of a build with itself: {', '.join(alarms)}"
        )
    return 1 if alarms else 0


def read_report(document: Mapping[str, Any]) -> tuple[list[Found], list[str]]:
    """Return the comparisons that a JSON report holds, and why its invalid runs are."""
    found: list[Found] = []
    invalid: list[str] = []
    for run in document["runs"]:
        if run["verdict"] == Verdict.INVALID:
            invalid.append(f"{run['scenario']}: {'; '.join(run['reasons'])}")
        else:
            asked = [change for change in changes_of(run) if change.severity is not Severity.INFO]
            found += [(run["scenario"], change) for change in asked]
    return found, invalid


def render_table(all_series: Sequence[Series]) -> list[str]:
    """Return a Markdown table: for each comparison and kind of duet, how often each outcome came."""
    lines = [
        "| duets | comparison | n | unchanged | improved | inconclusive | regressed | slower | sd of change |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for series in all_series:
        for title in dict.fromkeys(_title(one) for one in series.found):
            changes = [one[1] for one in series.found if _title(one) == title]
            outcomes = Counter(change.outcome for change in changes)
            counts = [outcomes[Outcome(name)] for name in ("unchanged", "improved", "inconclusive", "regressed")]
            row = [series.title, title, len(changes), *counts, sum(map(is_slower, changes)), _spread(changes)]
            lines.append(f"| {' | '.join(map(str, row))} |")
    return lines


def is_slower(change: Change) -> bool:
    """Tell whether the candidate was marked as worse at all, within the error that such marks may have."""
    return change.is_marked and change.change is not None and change.change > 0


def _title(found: Found) -> str:
    scenario, change = found
    return f"{scenario}: {render_place(change)} {metric_words(change.rule.metric)}"


def _spread(changes: Sequence[Change]) -> str:
    """Return the root of the mean square change: without noise, a build would not differ from itself."""
    values = [change.change for change in changes if change.change is not None]
    if not values:
        return "-"
    return render_size(changes[0], math.sqrt(fmean(value**2 for value in values))).removeprefix("+")


def _play_series(title: str, duets: int, pytest_args: Sequence[str]) -> Series:
    found: list[Found] = []
    invalid: list[str] = []
    for number in range(1, duets + 1):
        played, reasons = _play(pytest_args)
        found += played
        invalid += reasons
        told = [f"{_title(one)} {outcome_words(one[1])} {render_interval(one[1])}".rstrip() for one in played]
        told += [f"invalid: {text}" for text in reasons]
        _say(f"{title} {number}/{duets}: {', '.join(told) or 'nothing was compared'}")
    return Series(title=title, found=tuple(found), invalid=tuple(invalid))


def _play(pytest_args: Sequence[str]) -> tuple[list[Found], list[str]]:
    """Play one duet in a process of its own, so that none inherits anything of the one before."""
    with tempfile.TemporaryDirectory(prefix="tailgate-calibrate-") as folder:
        path = Path(folder) / "report.json"
        options = ["-m", "perf", "--perf-duet=.", f"--perf-json={path}", "--perf-summary=", "-p", "no:cacheprovider"]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options, *pytest_args],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode not in _USEFUL_STATUS or not path.exists():
            tail = "\n".join(done.stdout.splitlines()[-_LINES:])
            raise TailgateError(f"pytest ended with exit code {done.returncode} and played no duet:\n{tail}")
        return read_report(json.loads(path.read_text(encoding="utf-8")))


def _keep_floor(alike: Series) -> None:
    """Learn the noise floor from the percentiles, and keep it for later duets."""
    pairs = [
        ProcessPair(change_ratio=change.change, standard_error=change.standard_error, rounds=change.rounds)
        for _, change in alike.found
        if change.change is not None and change.standard_error is not None
    ]
    if len(pairs) < FEWEST_RUNS:
        _say(f"noise floor: not learned, from {len(pairs)} duets of a build with itself; it takes {FEWEST_RUNS}")
        return
    ratio = learn_noise_floor(pairs)
    floor = NoiseFloor.of_this_machine(ratio=ratio, duets=len(pairs), false_alarms=len(_alarms(alike)))
    path = save_noise_floor(Path.cwd(), floor)
    _say(f"noise floor: {100 * ratio:.2f} % from {count_of(len(pairs), 'duet')}; later duets here take it from {path}")


def _alarms(alike: Series) -> list[str]:
    return [_title(found) for found in alike.found if found[1].outcome is Outcome.REGRESSED]


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a command line
