"""Try the gate itself: play a build against itself, learn the noise floor, and count how often the gate was wrong."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from tailgate.compare import FEWEST_RUNS, ProcessPair, learn_noise_floor
from tailgate.duet_text import metric_words, outcome_words, render_interval, render_place, render_size
from tailgate.errors import TailgateError
from tailgate.model import Change, Outcome, Severity, Verdict, count_of
from tailgate.noise_floor import NoiseFloor, save_noise_floor
from tailgate.percentiles import quantile_of
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

    injected_ratio: float
    """How much slower the candidate was made; 0 for a build against itself."""
    duets: tuple[tuple[Found, ...], ...]
    """What each of the valid ones found."""
    invalid: tuple[str, ...]
    """Why each of the invalid ones was."""

    @property
    def title(self) -> str:
        """``A/A``, ``+20 %``."""
        return f"+{100 * self.injected_ratio:g} %" if self.injected_ratio else "A/A"

    @property
    def found(self) -> tuple[Found, ...]:
        """All comparisons of the valid duets."""
        return tuple(found for duet in self.duets for found in duet)

    @property
    def has_compared(self) -> bool:
        """Whether any comparison has an estimate."""
        return any(change.change is not None for _, change in self.found)


def calibrate(*, duets: int, inject: float | None, pytest_args: Sequence[str]) -> int:
    """Play duets in the project of the working directory, print what they say, and keep the noise floor.

    Returns:
        0; 1 when the gate called a build a regression of itself, or missed most of those that were made slower.

    Raises:
        TailgateError: pytest could not play, such as without a test that has something to compare; or no duet was
            valid, or none could compare anything that may fail or warn.
    """
    with _ended_by_sigterm():
        all_series = [_play_series(ratio, duets, pytest_args) for ratio in (0.0, inject) if ratio is not None]
    _say("")
    for line in render_table(all_series):
        _say(line)
    for series in all_series:
        for reason in series.invalid:
            _say(f"{series.title}: an invalid duet was left out: {reason}")
    _keep_floor(all_series[0])
    if empty := [series.title for series in all_series if not series.duets]:
        raise TailgateError(f"no duet was valid ({', '.join(empty)}), so nothing is known about the gate")
    if empty := [series.title for series in all_series if not series.has_compared]:
        raise TailgateError(
            f"nothing that may fail or warn was compared ({', '.join(empty)}), so nothing is known about the gate; "
            "give a rule another severity than info, and send enough requests"
        )
    findings = [finding for series in all_series if (finding := find_mistakes(series))]
    for finding in findings:
        _say(finding)
    return 1 if findings else 0


def find_mistakes(series: Series) -> str:
    """Return how often the gate was wrong about a build and itself, or that it missed a slower one; empty if neither.

    A slower one is missed where fewer than half of the duets found it. What no rule forbids is not there to be found.
    """
    if not series.injected_ratio:
        alarms = _alarms(series)
        whole = count_of(len(series.found), "comparison")
        told = f"false alarms: {len(alarms)} of {whole} of a build with itself: {', '.join(alarms)}"
        return told if alarms else ""
    hits = [any(asked) for duet in series.duets if (asked := _hits(duet, series.injected_ratio))]
    told = f"missed: {sum(hits)} of {count_of(len(hits), 'duet')} found a candidate that was slower by"
    return f"{told} {100 * series.injected_ratio:g} %" if 2 * sum(hits) < len(hits) else ""


def read_report(document: Mapping[str, Any]) -> tuple[list[tuple[Found, ...]], list[str]]:
    """Return what each valid duet of a JSON report found, and why its invalid ones are."""
    duets: list[tuple[Found, ...]] = []
    invalid: list[str] = []
    for run in document["runs"]:
        if run["verdict"] == Verdict.INVALID:
            invalid.append(f"{run['scenario']}: {'; '.join(run['reasons'])}")
        else:
            asked = [change for change in changes_of(run) if change.severity is not Severity.INFO]
            duets.append(tuple((run["scenario"], change) for change in asked))
    return duets, invalid


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


def _play_series(injected_ratio: float, count: int, pytest_args: Sequence[str]) -> Series:
    series = Series(injected_ratio=injected_ratio, duets=(), invalid=())
    extra = [f"--perf-inject={injected_ratio:g}"] if injected_ratio else []
    for number in range(1, count + 1):
        duets, invalid = read_report(_play([*extra, *pytest_args]))
        series = replace(series, duets=(*series.duets, *duets), invalid=(*series.invalid, *invalid))
        found = [one for duet in duets for one in duet]
        told = [f"{_title(one)} {outcome_words(one[1])} {render_interval(one[1])}".rstrip() for one in found]
        told += [f"invalid: {text}" for text in invalid]
        _say(f"{series.title} {number}/{count}: {', '.join(told)}")
    return series


def _play(pytest_args: Sequence[str]) -> Any:
    """Play one duet in a process of its own, so that none inherits anything of the one before; return its report."""
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
        document = json.loads(path.read_text(encoding="utf-8"))
    for file in {run["test"].partition("::")[0] for run in document["runs"]}:
        if not Path(file).is_file():
            raise TailgateError(
                f"there is no {file} in {Path.cwd()}; calibrate in pytest's root directory, where later duets look for "
                "what was learned"
            )
    return document


def _keep_floor(alike: Series) -> None:
    """Learn the noise floor from the percentiles, and keep it for later duets."""
    pairs = [pair for duet in alike.duets if (pair := _pairs(duet))]
    if len(pairs) < FEWEST_RUNS:
        count = count_of(len(pairs), "duet")
        _say(f"noise floor: not learned, from {count} of a build with itself; it takes {FEWEST_RUNS}")
        return
    ratio = learn_noise_floor([pair for of_duet in pairs for pair in of_duet])
    floor = NoiseFloor.of_this_machine(ratio=ratio, duets=len(pairs), false_alarms=len(_alarms(alike)))
    path = save_noise_floor(Path.cwd(), floor)
    _say(f"noise floor: {100 * ratio:.2f} % from {count_of(len(pairs), 'duet')}; later duets here take it from {path}")


def _pairs(duet: Sequence[Found]) -> list[ProcessPair]:
    return [
        ProcessPair(change_ratio=change.change, standard_error=change.standard_error, rounds=change.rounds)
        for _, change in duet
        if change.change is not None and change.standard_error is not None
    ]


def _alarms(alike: Series) -> list[str]:
    return [_title(found) for found in alike.found if found[1].outcome is Outcome.REGRESSED]


def _hits(duet: Sequence[Found], injected_ratio: float) -> list[bool]:
    """Return which comparisons found the injection, of those that forbid it: percentiles, since it changes no more."""
    return [
        change.outcome is Outcome.REGRESSED
        for _, change in duet
        if quantile_of(change.rule.metric) is not None and change.rule.max_change < injected_ratio
    ]


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Have SIGTERM end pytest too, and take the report's folder away, as Ctrl-C does."""
    before = signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a command line
