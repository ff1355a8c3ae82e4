"""Run one load in this process and return what it measured."""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol

import gevent
import numpy as np
from gevent.pool import Group
from locust.env import Environment
from locust.runners import STATE_RUNNING

from tailgate.counters import Counters
from tailgate.dispersion import index_of_dispersion
from tailgate.engine.arrivals import Dispatcher
from tailgate.engine.context import RunContext
from tailgate.engine.events import NoStatistics, RunEvents
from tailgate.engine.interrupts import Interrupts
from tailgate.engine.plan import Level, LoadPlan, LocustPace
from tailgate.engine.population import Population
from tailgate.engine.probe import HealthProbe
from tailgate.engine.recorder import Recorder
from tailgate.engine.users import LoopBlocked, is_paced, make_run_class
from tailgate.errors import EngineError
from tailgate.model import GeneratorHealth, Window
from tailgate.run import RunFacts, RunResult
from tailgate.samples import SampleLog, Samples
from tailgate.shapes import is_open
from tailgate.windows import after_warmup, stage_windows

TICK_S = 0.05
"""How often the level is set; ramps move in steps of this length."""
_PROGRESS_S = 0.25
_UNSTEADY_S = 1.0
"""How long the users that a stage starts at once stay in step."""
_RESOLVER_PATIENCE_S = 1.0


@dataclass(frozen=True, slots=True)
class LiveRun:
    """A look at a run that goes on."""

    stage: str
    users: int
    elapsed_s: float
    left_s: float | None
    """Seconds until the shape ends; None where only the shape knows."""
    log: SampleLog
    user_s: float
    """Sum over the users of the seconds that each has lived."""


class Monitor(Protocol):
    """What watches a run while it goes on."""

    def on_progress(self, live: LiveRun) -> str:
        """Look at the run a few times a second; a text ends it early, as the reason why."""
        ...  # pragma: no cover

    def on_stage_begin(self, stage: str) -> None:
        """Take note that a stage begins; must not block."""
        ...  # pragma: no cover

    def on_stage_end(self, stage: str, so_far: Callable[[], RunResult]) -> bool:
        """Look at the run when a stage is over, if need be at what ``so_far()`` copies; False ends it there."""
        ...  # pragma: no cover


def run_load(plan: LoadPlan, *, test: str, scenario: str, warmup_s: float, monitor: Monitor) -> RunResult:
    """Run the plan in this process, unpatched, and leave nothing of Locust behind.

    A signal ends the run in order: what was measured is returned with ``facts.interrupted`` set.

    Args:
        plan: What to run.
        test: Node id of the test, for the result.
        scenario: Name of the scenario, for the result.
        warmup_s: What the result leaves out at the beginning.
        monitor: Watches, and may end the run.

    Returns:
        The samples, counters and facts of the run.
    """
    return _Run(plan, test=test, scenario=scenario, warmup_s=warmup_s, monitor=monitor).result()


class _Run:
    """The state of one run; lives as long as ``run_load`` does."""

    def __init__(self, plan: LoadPlan, *, test: str, scenario: str, warmup_s: float, monitor: Monitor) -> None:
        self._plan = plan
        self._test, self._scenario = test, scenario
        self._warmup_s = warmup_s
        self._monitor = monitor
        self._recorder = Recorder()
        self._counters = Counters()
        self._probe = HealthProbe()
        self._started_at = datetime.now(UTC).astimezone().isoformat(timespec="milliseconds")
        self._elapsed_s = 0.0
        self._user_s = 0.0
        self._stage = 0
        self._reached = [0]
        self._most_users = 0
        self._facts = RunFacts()
        self._dispatcher: Dispatcher | None = None

    def result(self) -> RunResult:
        context = RunContext(
            recorder=self._recorder,
            counters=self._counters,
            host=self._plan.host,
            request_timeout_s=self._plan.request_timeout_s,
        )
        classes = [make_run_class(cls, self._plan.tags, context) for cls in self._plan.user_classes]
        events = RunEvents(self._recorder)
        events.events.user_error.add_listener(self._recorder.on_user_error)
        environment = Environment(
            user_classes=classes, events=events.events, host=self._plan.host, stop_timeout=self._plan.stop_timeout_s
        )
        runner = environment.create_local_runner()
        environment.stats = NoStatistics()  # type: ignore[assignment] # on purpose
        events.adopt_global_listeners()
        population: Population | Dispatcher
        if is_open(self._plan.stages):
            population = self._dispatcher = Dispatcher(
                environment, classes, context, self._plan.stages, self._plan.stop_timeout_s
            )
        else:
            population = Population(runner, classes, context, self._plan.stop_timeout_s)
        with Interrupts() as interrupts, _each_message_once(), _collected():
            try:
                environment.events.init.fire(environment=environment, runner=runner, web_ui=None)
                environment.events.test_start.fire(environment=environment)
                runner.update_state(STATE_RUNNING)
                if isinstance(population, Dispatcher):
                    population.warm_up(is_interrupted=lambda: bool(interrupts.seen))
                self._drive(population, interrupts, runner)
            except KeyboardInterrupt:
                population.kill_all()
                raise
            except LoopBlocked as error:
                raise EngineError(f"what runs beside the users, such as a shape or a listener, {error}") from error
            finally:
                self._end(population, runner)
                context.close_all_sessions()
        self._facts = replace(
            self._facts,
            user_deaths=self._recorder.user_deaths.counts,
            task_exceptions=self._recorder.task_exceptions.counts,
            listener_errors=events.failures,
            unreported=max(0, self._recorder.sent - self._recorder.answered),
            unstoppable_users=population.unstoppable,
            interrupted=interrupts.seen,
            paced_classes=tuple(cls.__name__ for cls in classes if is_paced(cls)),
        )
        return self._result_of(self._recorder.log.finish())

    def _drive(self, population: Population | Dispatcher, interrupts: Interrupts, runner: Any) -> None:
        """Follow the shape to its end, or to whatever ends it earlier."""
        pace = self._plan.pace(runner)
        # Wall clock and monotonic clock, read together: samples carry the first, the shape follows the second.
        self._recorder.began, began_s = time.time(), time.perf_counter()
        self._probe.start()
        if isinstance(population, Dispatcher):
            population.begin(self._recorder.began, began_s)
        self._monitor.on_stage_begin(self._plan.stages[0].name)
        progress_at_s = 0.0
        while not interrupts.seen:
            now_s = time.perf_counter() - began_s
            level = pace.at(now_s)
            if level is None or level.stage != self._stage:
                self._finish_stage(population)
                if level is None:
                    self._skip_to_the_end()
                if level is None or not self._next_stage(level.stage):
                    break
            self._user_s += population.alive * max(0.0, now_s - self._elapsed_s)
            self._elapsed_s = now_s
            self._move(population, level)
            if now_s >= progress_at_s:
                progress_at_s = now_s + _PROGRESS_S
                cut = self._monitor.on_progress(self._look(level.stage, population.alive))
                stopped = "" if runner.state == STATE_RUNNING else "user code stopped Locust's runner"
                if cut or stopped:
                    self._facts = replace(self._facts, cut=cut, stopped=stopped)
                    break
            gevent.sleep(TICK_S)
        if isinstance(pace, LocustPace):
            self._elapsed_s = time.perf_counter() - began_s
            self._most_users = pace.most_users
        drift_s = (time.time() - self._recorder.began) - (time.perf_counter() - began_s)
        self._facts = replace(self._facts, clock_jump_s=drift_s)

    def _move(self, population: Population | Dispatcher, level: Level) -> None:
        population.move_to(level)
        self._reached[-1] = max(self._reached[-1], population.alive)

    def _finish_stage(self, population: Population | Dispatcher) -> None:
        """Bring a stage to its own end: a ramp's last users are due between its last tick and that."""
        if self._plan.locust_shape is None:
            self._move(population, Level(self._stage, self._plan.stages[self._stage].users))
        self._elapsed_s = sum(stage.duration_s for stage in self._plan.stages[: self._stage + 1])

    def _skip_to_the_end(self) -> None:
        """Leave the last stage; stages that a blocked event loop slept through count as never reached."""
        slept_through = self._plan.stages[self._stage + 1 :]
        self._reached += [0] * len(slept_through)
        self._elapsed_s += sum(stage.duration_s for stage in slept_through)

    def _next_stage(self, stage: int) -> bool:
        """Begin ``stage``; False when the monitor has seen enough."""
        goes_on = self._monitor.on_stage_end(self._plan.stages[self._stage].name, self._so_far)
        if goes_on:
            self._reached += [0] * (stage - self._stage)
            self._stage = stage
            self._monitor.on_stage_begin(self._plan.stages[stage].name)
        return goes_on

    def _look(self, stage: int, users: int) -> LiveRun:
        duration_s = self._plan.duration_s
        return LiveRun(
            stage=self._plan.stages[stage].name,
            users=users,
            elapsed_s=self._elapsed_s,
            left_s=None if duration_s is None else max(0.0, duration_s - self._elapsed_s),
            log=self._recorder.log,
            user_s=self._user_s,
        )

    def _end(self, population: Population | Dispatcher, runner: Any) -> None:
        """Stop everything that this run started, whatever happened."""
        try:
            self._probe.stop()
            population.stop_all()
        except KeyboardInterrupt:
            population.kill_all()
            raise
        finally:
            runner.user_greenlets = Group()  # For a user that cannot be killed quit() would wait for ever.
            runner.quit()
            _end_resolver_threads()

    def _so_far(self) -> RunResult:
        return self._result_of(self._recorder.log.freeze())

    def _result_of(self, samples: Samples) -> RunResult:
        stages = self._plan.stages
        if self._plan.locust_shape is not None and self._elapsed_s > 0:
            stages = (replace(stages[0], duration_s=self._elapsed_s, users=self._most_users),)
        return RunResult(
            test=self._test,
            scenario=self._scenario,
            host=self._plan.host,
            started_at=self._started_at,
            duration_s=self._elapsed_s,
            stages=stages,
            users_reached=tuple(self._reached),
            samples=samples,
            warmup_s=self._warmup_s,
            errors=self._recorder.errors,
            counters=dict(self._counters.as_dict()),
            generator=self._health(samples),
            facts=self._facts,
        )

    def _health(self, samples: Samples) -> GeneratorHealth:
        health, windows = self._probe.health(len(samples)), self._steady_windows()
        if self._dispatcher is None:
            return replace(health, dispersion=index_of_dispersion(samples.start_s, windows))
        lags_ms = self._recorder.send_lags_ms
        return replace(
            health,
            dispersion=index_of_dispersion(np.array(self._recorder.sends_s), windows),
            due=self._dispatcher.due,
            unsent=self._dispatcher.unsent,
            send_lag_p99_ms=float(np.quantile(np.array(lags_ms), 0.99)) if lags_ms else None,
        )

    def _steady_windows(self) -> tuple[Window, ...]:
        """Return the stages without their beginnings, where users start all at once or the rate still moves."""
        windows = stage_windows(self._plan.stages, ended_s=self._elapsed_s)
        return tuple(
            after_warmup(window, window.start_s + (stage.ramp_s if stage.arrival_rate_rps else _UNSTEADY_S))
            for window, stage in zip(windows, self._plan.stages, strict=False)
        )


def _end_resolver_threads() -> None:
    """End the threads in which gevent looks up names; it starts new ones when it needs them.

    Left alone they make every later ``os.fork`` of the process warn (Python 3.12), which pytest may turn into an error.
    """
    with gevent.Timeout(_RESOLVER_PATIENCE_S, False):
        gevent.get_hub().threadpool.size = 0


@contextmanager
def _each_message_once() -> Iterator[None]:
    """Let each different message of Locust through once: twenty users that die alike are one finding."""
    seen: set[str] = set()

    def is_new(record: logging.LogRecord) -> bool:
        text = record.getMessage()
        is_first = text not in seen
        seen.add(text)
        return is_first

    loggers = [logging.getLogger(name) for name in ("locust.user.users", "locust.user.task", "locust.runners")]
    for logger in loggers:
        logger.addFilter(is_new)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(is_new)


@contextmanager
def _collected() -> Iterator[None]:
    """Keep the garbage collector away from what is there already.

    A request leaves cycles behind, so it runs often, and pytest's own objects would be looked through every time.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
