"""Run one load in this process, on one host or on two at once, and return what it measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tailgate.engine.arm import Arm
from tailgate.engine.course import Course
from tailgate.engine.fleet import Fleet, Workers
from tailgate.engine.monitor import DuetMonitor, LiveArm, LiveDuet, LiveRun, Monitor
from tailgate.engine.plan import LoadPlan
from tailgate.engine.preflight import check_host
from tailgate.errors import BadInput
from tailgate.run import RunResult
from tailgate.shapes import is_open

_CLOSED = "load: a duet needs tasks that arrive at a rate, and this shape has users that loop; pass Arrivals"
SEED = 1
"""The same arrivals in every run: one thing less in which two runs differ."""


def run_load(
    plan: LoadPlan, *, test: str, scenario: str, warmup_s: float, monitor: Monitor, workers: Workers | None = None
) -> RunResult:
    """Run the plan in this process, unpatched, or lead worker processes that do; leave nothing of Locust behind.

    A signal ends the run in order: what was measured is returned with ``facts.interrupted`` set.

    Args:
        plan: What to run.
        test: Node id of the test, for the result.
        scenario: Name of the scenario, for the result.
        warmup_s: What the result leaves out at the beginning.
        monitor: Watches, and may end the run.
        workers: Where the users live; None for this process.

    Returns:
        The samples, counters and facts of the run.

    Raises:
        BadInput: Workers did not come, or cannot do what is asked of them.
        EngineError: A listener or the shape blocked the event loop, or a worker ended before the run began.
    """
    names = {"test": test, "scenario": scenario, "warmup_s": warmup_s}
    run = _LoadRun(plan, monitor, **names) if workers is None else _FleetRun(plan, monitor, workers, **names)
    (result,) = run.results()
    return result


def run_duet(
    plan: LoadPlan,
    hosts: tuple[str, str],
    *,
    seed: int,
    test: str,
    scenario: str,
    warmup_s: float,
    monitor: DuetMonitor,
) -> tuple[RunResult, RunResult]:
    """Run the plan on two hosts at once: each arrival goes to one of them, by a fair coin.

    The arms share the clock, the event loop and the listeners that are registered on ``locust.events``, and nothing
    else: each has users, an environment, counters and connections of its own. A signal ends both as in ``run_load``.

    Args:
        plan: What to run; its own host is not asked.
        hosts: Base URLs of the baseline and of the candidate.
        seed: Decides when tasks are due, what they are and who gets them; give each round its own.
        test: Node id of the test, for the results.
        scenario: Name of the scenario, for the results.
        warmup_s: What the results leave out at the beginning.
        monitor: Watches.

    Returns:
        The runs of the baseline and of the candidate. Samples, errors, counters, users, ``due``, ``unsent`` and what
        went wrong with users are of the arm; the other figures of the generator, the clock and what ended the run are
        of both.

    Raises:
        BadInput: The tasks of the plan do not arrive at a rate, or nobody answers at one of the hosts.
    """
    problems = [] if is_open(plan.stages) else [_CLOSED]
    for host in hosts:
        try:
            check_host(host)
        except BadInput as error:
            problems += error.problems
    if problems:
        raise BadInput(problems)
    urls = tuple(host.rstrip("/") for host in hosts)
    run = _DuetRun(plan, urls, monitor, seed=seed, test=test, scenario=scenario, warmup_s=warmup_s)
    base, candidate = run.results()
    return base, candidate


class _LoadRun(Course):
    """A run of one arm, and its monitor."""

    def __init__(self, plan: LoadPlan, monitor: Monitor, **names: Any) -> None:
        super().__init__(plan, (plan.host,), seed=SEED, **names)
        self._monitor = monitor

    def _on_progress(self) -> str:
        (arm,) = self._arms
        if self._plan.tracer is not None:
            self._plan.tracer.hand_over(arm.users.alive, arm.counters.as_dict())
        live = LiveRun(
            stage=self._stage_name,
            users=arm.users.alive,
            elapsed_s=self._elapsed_s,
            left_s=self._left_s,
            log=arm.recorder.log,
            user_s=self._user_s,
        )
        return self._monitor.on_progress(live)

    def _on_stage_begin(self) -> None:
        self._monitor.on_stage_begin(self._stage_name)

    def _on_stage_end(self) -> bool:
        return self._monitor.on_stage_end(self._stage_name, lambda: self._results_so_far()[0])


class _FleetRun(_LoadRun):
    """A run whose users live in worker processes."""

    def __init__(self, plan: LoadPlan, monitor: Monitor, workers: Workers, **names: Any) -> None:
        self._workers = workers
        super().__init__(plan, monitor, **names)

    def _make_arms(self, hosts: Sequence[str], seed: int) -> list[Arm]:
        del hosts
        self._fleet = Fleet(self._plan, self._workers, seed=seed)
        return [self._fleet]

    def _set_clock(self) -> tuple[float, float]:
        return self._fleet.set_clock()

    def _results_so_far(self) -> tuple[RunResult, ...]:
        self._fleet.flush()
        return super()._results_so_far()


class _DuetRun(Course):
    """A run of two arms, and its monitor."""

    def __init__(self, plan: LoadPlan, hosts: Sequence[str], monitor: DuetMonitor, **settings: Any) -> None:
        super().__init__(plan, hosts, **settings)
        self._monitor = monitor

    def _on_progress(self) -> str:
        base, candidate = (
            LiveArm(users=arm.users.alive, log=arm.recorder.log, counters=arm.counters.as_dict()) for arm in self._arms
        )
        live = LiveDuet(
            stage=self._stage_name,
            elapsed_s=self._elapsed_s,
            left_s=self._left_s,
            base=base,
            candidate=candidate,
        )
        self._monitor.on_progress(live)
        return ""
