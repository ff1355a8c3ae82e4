"""Play duets of the product service, alike and with known faults, and count what each way of judging says of them.

``python -m benchmarks.duet_real [--alike 20] [--slower 10] [--stalls 3]``: builds that are the same, a candidate that
takes 20 % more processor time and 20 % more waiting, and one that stalls for 400 ms every 5 s, played by turns. Each
duet is judged as a duet. Its arms are also taken for what a team without duets would have, runs at different times: the
candidate is compared with the baselines of other duets as by ``--perf-compare``, and with a fixed limit, 10 % above the
p95 of one earlier baseline.
"""

from __future__ import annotations

import argparse
import os
import pickle
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks.processes import BenchmarkError, own_turn, say
from benchmarks.witness import VARIABLE
from tailgate.baseline import Baseline, LoadIdentity, make_baseline
from tailgate.baseline_compare import compare_with_baseline
from tailgate.baseline_rules import BaselineRules
from tailgate.duet_join import join_rounds
from tailgate.duet_rounds import Round
from tailgate.duet_text import render_interval
from tailgate.judge import judge_run
from tailgate.model import Judged, Outcome, Scenario, Severity, count_of

ROOT = Path(__file__).parents[1]
FAULTS: Mapping[str, Mapping[str, str]] = {
    "the same build": {},
    "+20 % processor time and waiting": {"PRODUCT_SERVICE_SLOWDOWN": "0.2"},
    "a stall of 400 ms every 5 s": {"PRODUCT_SERVICE_STALL_EVERY_S": "5", "PRODUCT_SERVICE_STALL_S": "0.4"},
}
_IDENTITY = LoadIdentity(shape="steady", users="shopper", configuration={})
_MOST_SAVED = 8
_OF_LIMIT = 1.10


@dataclass(frozen=True, slots=True, kw_only=True)
class Duet:
    """One duet that was played."""

    kind: str
    judged: Judged
    base: Baseline
    """Its baseline as a run of its own; so is ``candidate``."""
    candidate: Baseline

    @property
    def p95_ms(self) -> tuple[float, float]:
        """Of baseline and candidate, by themselves."""
        values = [arm.total.summary.p95_ms for arm in (self.base, self.candidate)]
        assert None not in values
        return values[0], values[1]  # type: ignore[return-value]


def main(arguments: Sequence[str] | None = None) -> int:
    """Play, and print what each way of judging said."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.duet_real", description=__doc__)
    counts = {"the same build": 20, "+20 % processor time and waiting": 10, "a stall of 400 ms every 5 s": 3}
    for option, (kind, count) in zip(("--alike", "--slower", "--stalls"), counts.items(), strict=True):
        parser.add_argument(option, type=int, default=count, metavar="N", help=f"duets of {kind} (default: {count})")
    asked = parser.parse_args(arguments)
    wanted = dict(zip(counts, (asked.alike, asked.slower, asked.stalls), strict=True))
    duets: list[Duet] = []
    for kind in _by_turns(wanted):
        duets += _play(kind)
        say(_line(duets[-1], len(duets)))
    for kind in wanted:
        print("\n" + "\n".join(_table(kind, duets)), flush=True)
    return 0


def _by_turns(wanted: Mapping[str, int]) -> Iterator[str]:
    """Yield the kinds so that each is spread over the whole time: the machine changes meanwhile."""
    places = [((number + 0.5) / count, kind) for kind, count in wanted.items() for number in range(count)]
    yield from (kind for _, kind in sorted(places))


def _play(kind: str) -> list[Duet]:
    """Play one duet of the product service in a session of its own."""
    with own_turn() as settings:
        kept = Path(settings["TMPDIR"]) / "duets"
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-m",
            "perf",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "benchmarks.witness",
        ]
        done = subprocess.run(
            [*command, "--perf-duet=.", "--perf-summary=", "perf_tests"],
            cwd=ROOT,
            env={**os.environ, **settings, **FAULTS[kind], VARIABLE: str(kept)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if not kept.exists():
            raise BenchmarkError(f"no duet was played:\n{done.stdout[-3000:]}")
        with kept.open("rb") as file:
            return [_read(kind, *pair) for pair in _load_all(file)]


def _load_all(file: Any) -> Iterator[Any]:
    while True:
        try:
            yield pickle.load(file)
        except EOFError:
            return


def _read(kind: str, rounds: Sequence[Round], judged: Judged) -> Duet:
    base, candidate = (_as_saved([arm.run for arm in arms]) for arms in zip(*(one.arms for one in rounds), strict=True))
    return Duet(kind=kind, judged=judged, base=base, candidate=candidate)


def _as_saved(runs: Sequence[Any]) -> Baseline:
    """Return one arm as ``--perf-save`` would have kept it."""
    scenario = Scenario(name="steady")
    run = join_rounds(runs)
    return make_baseline(run, judge_run(run, scenario), scenario, load=_IDENTITY)


def _line(duet: Duet, number: int) -> str:
    base, candidate = duet.p95_ms
    found = ", ".join(f"{one.rule.metric} {one.outcome} {render_interval(one)}" for one in _asked(duet))
    facts = duet.judged.duet
    assert facts is not None
    busy = f"{100 * facts.cpu_ratio:.0f} %" if facts.cpu_ratio is not None else "?"
    told = f"p95 {base:.2f} -> {candidate:.2f} ms, {count_of(facts.rounds, 'round')}, cores {busy} busy"
    return f"{number}: {duet.kind}: {found}; {told}"


def _asked(duet: Duet) -> list[Any]:
    return [change for change in duet.judged.changes if change.severity is not Severity.INFO]


def _table(kind: str, duets: Sequence[Duet]) -> list[str]:
    """Return the counts of one kind of duet as Markdown."""
    played = [duet for duet in duets if duet.kind == kind]
    if not played:
        return []
    invalid = [duet for duet in played if duet.judged.reasons]
    sound = [duet for duet in played if not duet.judged.reasons]
    lines = [
        f"### {kind}: {len(played)} duets, {len(invalid)} invalid",
        "",
        "| judged by | calls it worse | does not | cannot say | marks it slower |",
        "|---|---:|---:|---:|---:|",
    ]
    metrics = dict.fromkeys(change.rule.metric for duet in sound for change in _asked(duet))
    lines.append(_row("**the duet as a whole**", [_of_all(duet) for duet in sound]))
    lines += [_row(f"of it, {metric}", [_of_metric(duet, metric) for duet in sound]) for metric in metrics]
    lines.append(_row("`--perf-compare`", [_compared(duet, duets) for duet in sound]))
    lines.append(_row("a fixed limit, 10 % above an earlier p95", [_limited(duet, duets) for duet in sound]))
    lines += ["", *_spread(sound), *(f"invalid: {'; '.join(duet.judged.reasons)}" for duet in invalid)]
    return lines


def _row(title: str, says: Sequence[tuple[str, bool]]) -> str:
    counts = Counter(outcome for outcome, _ in says)
    marked = sum(is_marked for _, is_marked in says)
    cells = [title, *(str(counts[name]) for name in ("worse", "not worse", "unsure")), str(marked)]
    return f"| {' | '.join(cells)} |"


def _of_all(duet: Duet) -> tuple[str, bool]:
    """Return what the verdict says, and whether any measure marks the candidate as worse at all."""
    says = [_of_metric(duet, change.rule.metric) for change in _asked(duet)]
    outcome = next((name for name in ("worse", "unsure") if any(name == one for one, _ in says)), "not worse")
    return outcome, any(is_marked for _, is_marked in says)


def _of_metric(duet: Duet, metric: str) -> tuple[str, bool]:
    """Return what the duet says, and whether it marks the candidate as slower at all."""
    (change,) = [change for change in _asked(duet) if change.rule.metric == metric]
    words = {Outcome.REGRESSED: "worse", Outcome.INCONCLUSIVE: "unsure"}
    is_slower = change.is_marked and change.change is not None and change.change > 0
    return words.get(change.outcome, "not worse"), is_slower


def _compared(duet: Duet, duets: Sequence[Duet]) -> tuple[str, bool]:
    """Return what ``--perf-compare`` says of the candidate beside the baselines of other duets, saved on the day."""
    saved = [other.base for other in duets if other is not duet and not other.judged.reasons][-_MOST_SAVED:]
    comparison = compare_with_baseline(duet.candidate, saved, BaselineRules(min_apart_s=0.0))
    words: Mapping[Severity | None, str] = {Severity.FAIL: "worse", Severity.WARN: "unsure"}
    return words.get(comparison.severity, "not worse"), False


def _limited(duet: Duet, duets: Sequence[Duet]) -> tuple[str, bool]:
    """Return what a limit says that was set by one other run of the baseline."""
    other = next(one for one in duets if one is not duet and not one.judged.reasons)
    limit_ms = _OF_LIMIT * other.p95_ms[0]
    return ("worse" if duet.p95_ms[1] > limit_ms else "not worse"), False


def _spread(duets: Sequence[Duet]) -> list[str]:
    """Say how much builds vary between runs, and in duets."""
    bases = [duet.p95_ms[0] for duet in duets]
    mean = fmean(bases)
    apart = (fmean((value / mean - 1) ** 2 for value in bases)) ** 0.5
    changes = [
        one.change for duet in duets for one in _asked(duet) if one.rule.metric == "p95_ms" and one.change is not None
    ]
    middle = fmean(changes)
    together = fmean((change - middle) ** 2 for change in changes) ** 0.5
    rounds = Counter(duet.judged.duet.rounds for duet in duets if duet.judged.duet)
    return [
        f"p95 of the baseline from run to run: {mean:.2f} ms, sd {100 * apart:.1f} %; change of p95 within duets: mean "
        f"{100 * middle:+.1f} %, sd {100 * together:.1f} %; rounds: "
        + ", ".join(f"{count} duets of {number}" for number, count in sorted(rounds.items()))
    ]


if __name__ == "__main__":
    sys.exit(main())
