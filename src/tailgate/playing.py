"""Play a duet: one round after the other, until it is decided."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tailgate.announcing import ProgressLine
from tailgate.container import count_cores
from tailgate.duet import ArmRound, Mark, Round, compare_rounds, inject, is_decided, shared_cpu_ratio
from tailgate.duet_validity import find_duet_reasons
from tailgate.engine import run_duet
from tailgate.loading import deaths_of
from tailgate.model import Change, DuetFacts, Scenario
from tailgate.reports.progress import Progress, Throughput
from tailgate.run import RunResult
from tailgate.stack.builds import named_failures, own_imports
from tailgate.stack.cores import CoreShares, pinned, share_cores, usable_cores
from tailgate.turns import machine_turn
from tailgate.watching import recent_p95_ms

if TYPE_CHECKING:
    import pytest

    from tailgate.dueting import Builds, StartArm
    from tailgate.engine import LiveDuet, LoadPlan
    from tailgate.loading import Target

_SEED_BITS = 32
MARK_EVERY_S = 2.0
"""How often processor time and counters are read; the kernel counts processor time in steps of 10 ms."""


@dataclass(slots=True)
class Duet:
    """A duet as far as it was played: what is kept of it when it is interrupted."""

    builds: Builds
    start: StartArm
    scenario: Scenario
    plan: LoadPlan
    noise_floor_ratio: float | None
    """What was learned on this class of machine; None if nothing was."""
    injected_ratio: float
    are_processes_ours: bool
    """Whether the arms are processes that this one starts, and not containers or somebody else's."""
    rounds: list[Round] = field(default_factory=list)
    changes: tuple[Change, ...] = ()
    """What the rounds say together."""

    def cores(self, number: int) -> CoreShares | None:
        """Return who runs where in a round.

        None where there are too few cores, where a quota of processor time is one purse for all, and where the arms
        are not processes of ours: the engine starts containers, and somebody else what is behind a URL.
        """
        has_quota = count_cores() < len(os.sched_getaffinity(0))
        return None if has_quota or not self.are_processes_ours else share_cores(usable_cores(), number)

    @property
    def are_cores_shared(self) -> bool:
        """Whether both arms run on the same cores, or may do so."""
        return self.cores(1) is None

    @property
    def facts(self) -> DuetFacts:
        """Who played, and how long."""
        base, candidate = self.builds
        return DuetFacts(
            base=base.label,
            candidate=candidate.label,
            rounds=len(self.rounds),
            most_rounds=self.scenario.duet.looks[-1],
            are_cores_shared=self.are_cores_shared,
            cpu_ratio=shared_cpu_ratio(self.rounds),
            are_processes_fresh=base.url is None,
            injected_ratio=self.injected_ratio,
        )

    def add(self, round_: Round) -> None:
        """Take one more round, and compare all of them anew."""
        self.rounds.append(inject(round_, self.injected_ratio) if self.injected_ratio else round_)
        self.changes = compare_rounds(
            self.rounds,
            self.scenario,
            timeout_ms=1000 * self.plan.request_timeout_s,
            are_cores_shared=self.are_cores_shared,
            noise_floor_ratio=self.noise_floor_ratio,
            are_processes_fresh=self.facts.are_processes_fresh,
        )


def play(duet: Duet, config: pytest.Config, *, test: str) -> None:
    """Play rounds until the duet fails, is invalid or decided, or there are no more rounds."""
    line = ProgressLine(config)
    looks = duet.scenario.duet.looks
    with closing(line), machine_turn(lambda: line.say("waiting: another load runs on this machine")):
        for number in range(1, looks[-1] + 1):
            duet.add(_play_round(duet, number, line, test))
            # What makes a duet invalid stays, whatever the rounds to come would say.
            if find_duet_reasons(duet.rounds, duet.scenario) or (number in looks and is_decided(duet.changes)):
                return


def _play_round(duet: Duet, number: int, line: ProgressLine, test: str) -> Round:
    """Load both builds at once, in stacks that are fresh and were started in an order that changes by round."""
    cores = duet.cores(number)
    base, candidate = duet.builds
    order = (base, candidate) if number % 2 else (candidate, base)
    names = " and ".join(build.name for build in order)
    line.say(f"round {number} of at most {duet.scenario.duet.looks[-1]}: starting {names}")
    with ExitStack() as exits:
        targets: dict[str, Target] = {}
        for build in order:
            with pinned(cores.of(build.name) if cores else None), named_failures(build), own_imports(build):
                targets[build.name] = exits.enter_context(duet.start(build))
        meters = {name: exits.enter_context(closing(Meter(target))) for name, target in targets.items()}
        monitor = _DuetMonitor(line, f"{duet.scenario.name}, round {number}", meters[base.name], meters[candidate.name])
        with pinned(cores.generator if cores else None):
            runs = run_duet(
                duet.plan,
                hosts=(targets[base.name].url, targets[candidate.name].url),
                # Another one each time: what an unlucky coin did would else come back with every session.
                seed=secrets.randbits(_SEED_BITS),
                test=test,
                scenario=duet.scenario.name,
                warmup_s=duet.scenario.warmup_s,
                monitor=monitor,
            )
        arms = [
            ArmRound(run=_with_deaths(run, targets[build.name]), marks=meters[build.name].marks(run))
            for run, build in zip(runs, duet.builds, strict=True)
        ]
    return Round(base=arms[0], candidate=arms[1])


def _with_deaths(run: RunResult, target: Target) -> RunResult:
    return replace(run, facts=replace(run.facts, stack_deaths=deaths_of(target)))


class Meter:
    """Reads processor time and counters of one arm now and then.

    Processor time in a thread: to read it of some processes takes milliseconds, in which no request could be sent.
    """

    def __init__(self, target: Target) -> None:
        self._read: Callable[[], float | None] | None = getattr(target, "service_cpu_s", None)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="tailgate-meter")
        self._marks: list[tuple[float, Mapping[str, float], Future[float | None]]] = []

    def mark(self, at_s: float, counters: Mapping[str, float]) -> None:
        """Note the counters, and have the processor time read."""
        self._marks.append((at_s, dict(counters), self._thread.submit(self._cpu_s)))

    def marks(self, run: RunResult) -> tuple[Mark, ...]:
        """Return what was read, with a last look at the end of the run."""
        self.mark(run.duration_s, run.counters)
        return tuple(Mark(at_s=at_s, cpu_s=cpu_s.result(), counters=counters) for at_s, counters, cpu_s in self._marks)

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown()

    def _cpu_s(self) -> float | None:
        return self._read() if self._read is not None else None


class _DuetMonitor:
    """Watches one round for the plugin; see ``tailgate.engine.DuetMonitor``."""

    def __init__(self, line: ProgressLine, title: str, base: Meter, candidate: Meter) -> None:
        self._line = line
        self._title = title
        self._base, self._candidate = base, candidate
        self._mark_at_s = 0.0
        self._throughput = Throughput()

    def on_progress(self, live: LiveDuet) -> None:
        """Show the progress, and read the meters when it is time."""
        self._line.show(self._progress(live))
        if live.elapsed_s >= self._mark_at_s:
            self._mark_at_s += MARK_EVERY_S
            self._base.mark(live.elapsed_s, live.base.counters)
            self._candidate.mark(live.elapsed_s, live.candidate.counters)

    def _progress(self, live: LiveDuet) -> Progress:
        arms = (live.base, live.candidate)
        return Progress(
            stage=f"{self._title}/{live.stage}",
            users=sum(arm.users for arm in arms),
            throughput_rps=self._throughput.rps(live.elapsed_s, sum(len(arm.log) for arm in arms)),
            p95_ms=recent_p95_ms(live.candidate.log),
            failures=sum(arm.log.failures for arm in arms),
            left_s=live.left_s,
        )
