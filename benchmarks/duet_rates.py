"""Measure how often comparisons of builds are right: ``python -m benchmarks.duet_rates [--streams N] [--growing]``.

Each row judges seeded streams of requests (``tests/unit/duet_streams.py``) and prints how many of a hundred had an
outcome, beside the limit for it and what a reference implementation of the same method reached with its own streams.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tailgate.compare import CompareSettings
from tests.unit import duet_streams as duets
from tests.unit.duet_streams import CI, HOSTILE, QUIET, Noise, Spoil, Stream

_ONE_LOOK = CompareSettings(looks=1, fail_from_round=1)
_TIGHT, _USUAL = replace(_ONE_LOOK, max_change_ratio=0.05), _ONE_LOOK
_STRIDE = 1_000_000
"""Between the seeds of two rows, so that no two share a stream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What share of the streams, in percent, must or may have an outcome."""

    of: str
    most: float | None = None
    least: float | None = None
    reference: float | None = None

    def is_met(self, percent: float) -> bool:
        """Tell whether a measured share keeps the goal."""
        return (self.most is None or percent <= self.most) and (self.least is None or percent >= self.least)

    def __str__(self) -> str:
        limits = [
            f"<= {self.most:g}" if self.most is not None else "",
            f">= {self.least:g}" if self.least is not None else "",
        ]
        return " ".join(limit for limit in limits if limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One kind of stream and what its verdicts should be."""

    what: str
    noise: Noise
    duration_s: float
    settings: CompareSettings
    goals: tuple[Goal, ...]
    spoil: Spoil | None = None
    rate_rps: float = duets.RATE_RPS
    failing: float = 0.0
    """Share of the candidate's requests that fail at once."""
    rounds: int = 1
    """More than one is judged as it grows."""

    def stream(self, seed: int) -> Stream:
        """Return one stream of this kind."""
        whole = duets.stream(
            seed,
            self.noise,
            duration_s=self.duration_s,
            rounds=self.rounds,
            rate_rps=self.rate_rps,
            spoil=self.spoil,
        )
        return replace(whole, candidate=duets.with_failures(whole.candidate, self.failing, seed))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 1 if a goal was missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.duet_rates", description=__doc__)
    parser.add_argument("--streams", type=int, default=400, help="streams a row (default: 400)")
    parser.add_argument("--growing", action="store_true", help="judge growing duets instead: up to four rounds of 30 s")
    asked = parser.parse_args(arguments)
    began_s = time.perf_counter()
    print(f"{' '.join([parser.prog, *sys.argv[1:]])}, NumPy {np.__version__}\n")
    print("| streams | outcome | limit, % | reference, % | here, % | met |\n|---|---|---:|---:|---:|---|")
    is_met = [met for row in enumerate(GROWING if asked.growing else ROWS) for met in _measure(*row, asked.streams)]
    print(f"\n{asked.streams} streams a row, {time.perf_counter() - began_s:.0f} s; one judgement: {_time_one():.2f} s")
    return 0 if all(is_met) else 1


def _measure(number: int, row: Row, streams: int) -> Iterator[bool]:
    """Print the lines of one row, and yield for each whether its goal was met."""
    counts = _judge(row, range(_STRIDE * number, _STRIDE * number + streams))
    for goal in row.goals:
        percent = counts[goal.of] / streams if goal.of == "seconds" else 100 * counts[goal.of] / streams
        has_limit, reference = bool(str(goal)), "" if goal.reference is None else f"{goal.reference:g}"
        met = goal.is_met(percent)
        shown = f"{percent:.0f} s" if goal.of == "seconds" else f"{percent:g}"
        print(
            f"| {row.what} | {goal.of} | {goal} | {reference} | {shown} | {('no', 'yes')[met] if has_limit else ''} |",
            flush=True,
        )
        yield met


def _judge(row: Row, seeds: range) -> Counter[str]:
    judge: Callable[[Stream, CompareSettings], duets.LatencyComparison] = (
        duets.judge_as_it_grows if row.rounds > 1 else duets.judge
    )
    return duets.count_outcomes(judge(row.stream(seed), row.settings) for seed in seeds)


def _time_one() -> float:
    """Return the seconds that it takes to judge 120,000 samples, the best of three."""
    whole = duets.stream(0, CI, duration_s=60, rate_rps=1000)
    spent_s = []
    for _ in range(3):
        began_s = time.perf_counter()
        duets.judge(whole, _USUAL)
        spent_s.append(time.perf_counter() - began_s)
    return min(spent_s)


def _same(noise: str, kind: Noise, duration_s: float, *, most: float, slower: float, failed: float) -> Row:
    return Row(
        what=f"{noise} {duration_s:g} s, same build, limit 5 %",
        noise=kind,
        duration_s=duration_s,
        settings=_TIGHT,
        goals=(
            Goal(of="slower", most=most, reference=slower),
            Goal(of="FAIL", most=1, reference=failed),
            Goal(of="improved"),
        ),
    )


def _slower(percent: float, duration_s: float, settings: CompareSettings, *goals: Goal, rounds: int = 1) -> Row:
    length = f"{duration_s:g} s" if rounds == 1 else f"up to {rounds} x {duration_s:g} s"
    return Row(
        what=f"ci {length}, {percent:g} % slower, limit {100 * settings.max_change_ratio:g} %",
        noise=CI,
        duration_s=duration_s,
        settings=settings,
        goals=goals,
        spoil=duets.slower_by(1 + percent / 100),
        rounds=rounds,
    )


def _shape(what: str, least: float, spoil: Spoil) -> Row:
    return Row(
        what=f"ci 60 s, {what}, limit 5 %",
        noise=CI,
        duration_s=60,
        settings=_TIGHT,
        goals=(Goal(of="FAIL", least=least, reference=100), Goal(of="PASS", most=1, reference=0)),
        spoil=spoil,
    )


ROWS = (
    _same("quiet", QUIET, 30, most=7.5, slower=2.75, failed=0),
    _same("ci", CI, 30, most=7.5, slower=4.75, failed=0),
    _same("hostile", HOSTILE, 30, most=8.5, slower=6.5, failed=1),
    _same("ci", CI, 60, most=7.5, slower=3.25, failed=0),
    _slower(0, 60, _TIGHT, Goal(of="PASS", least=80, reference=86.5)),
    _slower(5, 60, _TIGHT, Goal(of="PASS", most=8, reference=3.5), Goal(of="FAIL", most=8, reference=1.5)),
    _slower(10, 60, _TIGHT, Goal(of="FAIL", least=65, reference=72.5), Goal(of="PASS", most=1, reference=0)),
    _slower(20, 60, _TIGHT, Goal(of="FAIL", least=99, reference=100)),
    _slower(0, 30, _USUAL, Goal(of="PASS", least=95, reference=98.25)),
    _slower(10, 30, _USUAL, Goal(of="PASS", most=8, reference=2.5), Goal(of="FAIL", most=8, reference=2)),
    _slower(20, 30, _USUAL, Goal(of="FAIL", least=85, reference=94.5)),
    _shape("a stall of 400 ms every 5 s", 90, duets.stalls(length_s=0.4, every_s=5)),
    _shape("a stall of 900 ms every 10 s", 60, duets.stalls(length_s=0.9, every_s=10)),
    _shape("8 % of requests 40 ms slower", 99, duets.slow_path(share=0.08, extra_ms=40)),
    Row(
        what="ci 60 s, same build, processes 2 % apart, floor 2.83 %",
        noise=CI.with_process_sd(0.02),
        duration_s=60,
        settings=replace(_TIGHT, noise_floor_ratio=0.0283),
        goals=(Goal(of="slower", most=7.5, reference=5.5),),
    ),
    Row(
        what="ci 5 s at 100/s, same build, limit 10 %",
        noise=CI,
        duration_s=5,
        rate_rps=100,
        settings=_USUAL,
        goals=(Goal(of="inconclusive", least=100, reference=100),),
    ),
    Row(
        what="ci 30 s, 10 % of requests fail, limit 10 %",
        noise=CI,
        duration_s=30,
        settings=_USUAL,
        goals=(Goal(of="FAIL", least=100, reference=100),),
        failing=0.1,
    ),
)

GROWING = tuple(
    _slower(
        percent,
        30,
        CompareSettings(),
        Goal(of="PASS", most=passed[0], least=passed[1], reference=passed[2]),
        Goal(of="FAIL", most=failed[0], least=failed[1], reference=failed[2]),
        Goal(of="seconds", reference=seconds),
        rounds=4,
    )
    for percent, passed, failed, seconds in (
        (0, (None, 95, 100), (1, None, 0), 32),
        (5, (None, None, 91), (None, None, 0), 70),
        (10, (7.5, None, 2.5), (7.5, None, 2), 117),
        (15, (None, None, 0), (None, None, 87.5), 86),
        (20, (1, None, 0), (None, 95, 100), 60),
    )
)


if __name__ == "__main__":
    sys.exit(main())
