"""Try the gate itself: play a build against itself, learn the noise floor, and count how often the gate was wrong."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tailgate.compare import FEWEST_RUNS, ProcessPair, learn_noise_floor
from tailgate.errors import TailgateError
from tailgate.model import Outcome, Severity, Verdict, count_of
from tailgate.noise_floor import NoiseFloor, save_noise_floor

_USEFUL_STATUS = frozenset({0, 1})
"""Of pytest: tests passed, or some failed, as by a false alarm."""
_LINES = 30
"""How much of pytest's output is shown when it could not play."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """One comparison of one duet."""

    what: str
    """``steady: total p95_ms``."""
    metric: str
    outcome: Outcome
    change: float | None
    """A ratio or a difference, as the metric has it."""
    standard_error: float | None
    is_slower: bool
    """Whether the candidate was marked as worse at all, within the error of the marks."""
    rounds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Duets that were played alike."""

    title: str
    played: tuple[Played, ...]
    invalid: tuple[str, ...]
    """Why each of the invalid ones was; their comparisons are not among the played."""


def calibrate(*, duets: int, inject: float | None, pytest_args: Sequence[str]) -> int:
    """Play duets in the project of the working directory, print what they say, and keep the noise floor.

    Returns:
        0; 1 when the gate failed a build for being itself, or nothing could be learned.

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
    return max(_keep_floor(alike), _false_alarms(alike))


def read_report(document: Mapping[str, Any]) -> tuple[list[Played], list[str]]:
    """Return the comparisons that a JSON report holds, and why its invalid runs are."""
    played: list[Played] = []
    invalid: list[str] = []
    for run in document["runs"]:
        if run["verdict"] == Verdict.INVALID:
            invalid.append(f"{run['scenario']}: {'; '.join(run['reasons'])}")
            continue
        played += [_played(run["scenario"], change) for change in run["changes"] if change["severity"] != Severity.INFO]
    return played, invalid


def render_table(all_series: Sequence[Series]) -> list[str]:
    """Return a Markdown table: for each comparison and kind of duet, how often each outcome came."""
    lines = [
        "| duets | comparison | n | unchanged | improved | inconclusive | regressed | slower | sd of change |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for series in all_series:
        for what in dict.fromkeys(one.what for one in series.played):
            some = [one for one in series.played if one.what == what]
            outcomes = Counter(one.outcome for one in some)
            cells = [outcomes[Outcome(name)] for name in ("unchanged", "improved", "inconclusive", "regressed")]
            slower = sum(one.is_slower for one in some)
            row = [series.title, what, len(some), *cells, slower, _spread(some)]
            lines.append(f"| {' | '.join(map(str, row))} |")
    return lines


def _played(scenario: str, change: Mapping[str, Any]) -> Played:
    window = "" if change["window"] == "total" else f" [{change['window']}]"
    is_worse = change["change"] is not None and change["change"] > 0
    return Played(
        what=f"{scenario}: {change['subject']}{window} {change['metric']}",
        metric=change["metric"],
        outcome=Outcome(change["outcome"]),
        change=change["change"],
        standard_error=change["standard_error"],
        is_slower=change["is_marked"] and is_worse,
        rounds=change["rounds"],
    )


def _spread(some: Sequence[Played]) -> str:
    """Return the standard deviation of the changes around 0, which they would all be without noise."""
    changes = [one.change for one in some if one.change is not None]
    if not changes:
        return "-"
    deviation = (sum(change**2 for change in changes) / len(changes)) ** 0.5
    return f"{100 * deviation:.2g} %" if some[0].metric.endswith("_ms") else f"{deviation:.2g}"


def _play_series(title: str, duets: int, pytest_args: Sequence[str]) -> Series:
    played: list[Played] = []
    invalid: list[str] = []
    for number in range(1, duets + 1):
        found, why = _play(pytest_args)
        played += found
        invalid += why
        told = [f"{one.what} {one.outcome}{_render_change(one)}" for one in found] + [
            f"invalid: {text}" for text in why
        ]
        _say(f"{title} {number}/{duets}: {', '.join(told) or 'nothing was compared'}")
    return Series(title=title, played=tuple(played), invalid=tuple(invalid))


def _render_change(one: Played) -> str:
    if one.change is None:
        return ""
    return f" ({100 * one.change:+.1f} %)" if one.metric.endswith("_ms") else f" ({one.change:+.4g})"


def _play(pytest_args: Sequence[str]) -> tuple[list[Played], list[str]]:
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


def _keep_floor(alike: Series) -> int:
    """Learn the noise floor from the percentiles of all requests, and keep it for later duets."""
    pairs = [
        ProcessPair(change_ratio=one.change, standard_error=one.standard_error, rounds=one.rounds)
        for one in alike.played
        if one.change is not None and one.standard_error is not None
    ]
    if len(pairs) < FEWEST_RUNS:
        _say(
            f"noise floor: not learned; it takes {FEWEST_RUNS} duets of a build against itself, there are {len(pairs)}"
        )
        return 0
    ratio = learn_noise_floor(pairs)
    floor = NoiseFloor.of_this_machine(
        ratio=ratio,
        duets=len(pairs),
        false_alarms=sum(one.outcome is Outcome.REGRESSED for one in alike.played),
    )
    path = save_noise_floor(Path.cwd(), floor)
    _say(
        f"noise floor: {100 * ratio:.2f} % from {count_of(len(pairs), 'duet')}, kept in {path}; later duets here use it"
    )
    return 0


def _false_alarms(alike: Series) -> int:
    alarms = [one.what for one in alike.played if one.outcome is Outcome.REGRESSED]
    if not alarms:
        return 0
    _say(f"false alarms: {len(alarms)} of {len(alike.played)} comparisons of a build with itself: {', '.join(alarms)}")
    return 1


_say: Callable[[str], None] = lambda text: print(text, flush=True)  # noqa: E731, T201 - a command line
