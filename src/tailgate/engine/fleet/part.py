"""One worker's part of a run: real users, and what they did since the last report."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from gevent.pool import Group
from locust.env import Environment
from locust.runners import Runner, WorkerRunner

from tailgate.engine.arm import Arm, Users
from tailgate.engine.arrivals import Dispatcher, draw_arrivals
from tailgate.engine.fleet.wire import Count, Orders, Report, counts_between
from tailgate.engine.plan import Level, LoadPlan
from tailgate.engine.pool import UserPool
from tailgate.engine.population import Population
from tailgate.engine.preflight import check_host
from tailgate.engine.probe import HealthProbe
from tailgate.engine.tally import Tally
from tailgate.engine.users import find_problems
from tailgate.errors import BadInput
from tailgate.model import printable
from tailgate.shapes import is_open


class WorkerArm(Arm):
    """An arm whose runner is Locust's worker, as user code that asks for it expects."""

    def __init__(self, plan: LoadPlan, orders: Orders, runner: WorkerRunner) -> None:
        self._worker = runner
        self._share = orders.share
        super().__init__(plan, plan.host, share=1)

    def _make_runner(self, environment: Environment) -> Runner:
        environment.runner = self._worker
        self._worker.environment = environment
        return self._worker

    def _make_users(self, plan: LoadPlan, share: float) -> Users:
        if is_open(plan.stages):
            return super()._make_users(plan, share * self._share.ratio)
        return Population(self.runner, self._classes, self._context, plan.stop_timeout_s, self._share)

    def close(self) -> None:
        """Leave nothing behind, but keep the connection."""
        self.runner.user_greenlets = Group()  # as in Arm.close
        try:
            self.runner.stop()
        finally:
            self.close_sessions()


class Part:
    """What one worker does in one run."""

    def __init__(self, orders: Orders, runner: WorkerRunner) -> None:
        """Import the users' classes, and see whether they could begin.

        Raises:
            BadInput: They could not.
        """
        self._orders = orders
        try:
            plan = orders.plan()
        except ImportError as error:
            problem = f"load: {error}; workers import classes by the names of their modules, below --path"
            raise BadInput([problem]) from error
        if problems := find_problems(plan.user_classes, plan.tags, is_patched=True):
            raise BadInput(problems)
        check_host(plan.host)
        self._classes = {cls.__name__: cls for cls in plan.user_classes}
        self._arm = WorkerArm(plan, orders, runner)
        self._recorder = self._arm.recorder
        if plan.is_numbered:
            self._recorder.first_number = orders.first_number + orders.index
            self._recorder.number_step = orders.count
        self._dispatcher = self._make_dispatcher(plan)
        self._probe = HealthProbe()
        self._told_counts: dict[str, dict[tuple[str, str], int]] = {}
        self._told_counters: dict[str, int] = {}
        self._told_keys = 0
        self._samples = 0
        self._late_s = 0.0
        self._clock_jump_s = 0.0
        self._clocks: tuple[float, float] | None = None
        self.is_over = False

    def _make_dispatcher(self, plan: LoadPlan) -> Dispatcher | None:
        if not isinstance(self._arm.users, UserPool):
            return None
        # Every worker draws all arrivals and keeps those that a fair die gives it: together they are the very
        # arrivals that one process would have, and each has a Poisson process of its own.
        everything = draw_arrivals(plan.stages, seed=self._orders.seed, arms=self._orders.count)
        ours = (arrival._replace(arm=0) for arrival in everything if arrival.arm == self._orders.index)
        return Dispatcher([self._arm.users], ours)

    def prepare(self) -> None:
        """Tell listeners that a test starts, and let the first users of an open run start."""
        self._arm.begin(is_interrupted=_never)
        if self._dispatcher is not None:
            self._dispatcher.warm_up(is_interrupted=_never)

    def begin(self, began: float) -> None:
        """Begin at ``began`` by the master's clock, or at once if that is over."""
        self._recorder.began = began + self._orders.clock_offset_s
        wall, clock_s = time.time(), time.perf_counter()
        self._clocks = wall, clock_s
        self._late_s = max(0.0, wall - self._recorder.began)
        self._probe.start()
        if self._dispatcher is not None:
            self._dispatcher.begin(self._recorder.began, clock_s - (wall - self._recorder.began))

    def move_to(self, stage: int, users: int, user_classes: Sequence[str] | None) -> None:
        """Bring our share of the users to the level of all workers together."""
        self._arm.reached += [0] * (stage + 1 - len(self._arm.reached))
        named = None if user_classes is None else tuple(self._classes[name] for name in user_classes)
        self._arm.users.move_to(Level(stage, users, named))
        self.note_users()

    def note_users(self) -> None:
        """Note how many users live in the stage that goes on."""
        self._arm.note_users()

    @property
    def stopped(self) -> str:
        """What in the code of the users ended the run early; empty if nothing did."""
        return self._arm.stopped

    def stop(self) -> None:
        """Stop the users and whatever belongs to them."""
        self.is_over = True
        if self._dispatcher is not None:
            self._dispatcher.stop()
        self._probe.stop()
        if self._clocks is not None:
            wall, clock_s = self._clocks
            self._clock_jump_s = (time.time() - wall) - (time.perf_counter() - clock_s)
        self._arm.users.stop_all()
        self._arm.close()

    def close(self) -> None:
        """End at once what was not stopped in order."""
        if not self.is_over:
            self.is_over = True
            self._arm.users.kill_all()
            self._arm.close()

    def report(self, *, is_last: bool, left: str, answers_flush: int) -> Report:
        """Return what happened since the last report."""
        arm, recorder, users = self._arm, self._recorder, self._arm.users
        columns = recorder.log.drain()
        sends_s, send_lags_ms = recorder.sends.drain()
        self._samples += len(columns["outcome"])
        return Report(
            keys=self._new_keys(),
            columns=columns,
            sends_s=sends_s,
            send_lags_ms=send_lags_ms,
            errors=self._new("errors", recorder.failures),
            user_deaths=self._new("user_deaths", recorder.user_deaths),
            task_exceptions=self._new("task_exceptions", recorder.task_exceptions),
            listener_errors=self._new("listener_errors", arm.events.tally),
            counters=self._new_counters(),
            sent=recorder.sent,
            answered=recorder.answered,
            samples=self._samples,
            users=users.alive,
            reached=list(arm.reached),
            due=users.due if isinstance(users, UserPool) else None,
            unsent=users.unsent if isinstance(users, UserPool) else None,
            unstoppable=users.unstoppable,
            late_s=self._late_s,
            clock_jump_s=self._clock_jump_s,
            answers_flush=answers_flush,
            is_last=is_last,
            left=left,
            health=self._health(),
        )

    def _health(self) -> dict[str, Any] | None:
        if self._clocks is None:
            return None
        figures = self._probe.health if self.is_over else self._probe.health_so_far
        return asdict(figures(self._samples))

    def _new_keys(self) -> list[tuple[str, str]]:
        pairs = self._recorder.log.pairs
        new = pairs[self._told_keys :]
        self._told_keys = len(pairs)
        return [(printable(str(method)), printable(str(name))) for method, name in new]

    def _new(self, kind: str, tally: Tally) -> list[Count]:
        counts = tally.counts
        new = counts_between(self._told_counts.get(kind, {}), counts)
        if new:
            self._told_counts[kind] = {(error.where, error.error): error.count for error in counts}
        return new

    def _new_counters(self) -> dict[str, int]:
        before, self._told_counters = self._told_counters, self._arm.counters.as_dict()
        return {
            name: count - before.get(name, 0)
            for name, count in self._told_counters.items()
            if count != before.get(name)
        }


def _never() -> bool:
    return False
