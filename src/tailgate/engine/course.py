"""Play the stages of one run, on one arm or on two."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime

import gevent
from gevent.pool import Group

from tailgate.dispersion import dispersion_of_counts
from tailgate.engine.arm import Arm
from tailgate.engine.arrivals import Dispatcher, draw_arrivals
from tailgate.engine.interrupts import Interrupts
from tailgate.engine.keeping import Keeper
from tailgate.engine.plan import Level, LoadPlan, LocustPace
from tailgate.engine.pool import UserPool
from tailgate.engine.probe import HealthProbe
from tailgate.engine.process import collected, each_message_once, end_resolver_threads
from tailgate.engine.sends import Sends
from tailgate.engine.users import LoopBlocked
from tailgate.errors import EngineError
from tailgate.model import GeneratorHealth, Window
from tailgate.run import RunFacts, RunResult
from tailgate.samples import Measured, SampleLog
from tailgate.shapes import is_open
from tailgate.windows import P99, after_warmup, stage_windows

TICK_S = 0.05
"""How often the level is set; ramps move in steps of this length."""
_PROGRESS_S = 0.25
_NO_SAMPLES = SampleLog().finish()
_Part = tuple[Arm, Measured, RunFacts]
_UNSTEADY_S = 1.0
"""How long the users that a stage starts at once stay in step."""


class Course:
    """One run from its beginning to its end, on one arm or, with an open shape, on several.

    A subclass tells somebody of it, by the three methods at its end.
    """

    def __init__(
        self, plan: LoadPlan, hosts: Sequence[str], *, seed: int, test: str, scenario: str, warmup_s: float
    ) -> None:
        self._plan = plan
        self._test, self._scenario = test, scenario
        self._warmup_s = warmup_s
        self._arms = self._make_arms(hosts, seed)
        self._sends = Sends()
        """Of all arms: there is one generator."""
        for arm in self._arms:
            arm.recorder.sends = self._sends
        pools = [arm.users for arm in self._arms if isinstance(arm.users, UserPool)]
        arrivals = draw_arrivals(plan.stages, seed=seed, arms=len(hosts))
        self._dispatcher = Dispatcher(pools, arrivals) if pools else None
        self._probe = HealthProbe()
        self._keeper = Keeper(self._seal)
        self._started_at = datetime.now(UTC).astimezone().isoformat(timespec="milliseconds")
        self._elapsed_s = 0.0
        self._user_s = 0.0
        self._stage = 0
        self._most_users = 0
        self._facts = RunFacts()

    def results(self) -> tuple[RunResult, ...]:
        """Play the run and return what was measured on each arm."""
        # First what takes a while in a large process, and must not count as a loop that somebody blocks.
        with collected(), Interrupts() as interrupts, each_message_once():
            try:
                self._play(interrupts)
            except LoopBlocked as error:
                raise EngineError(f"what runs beside the users, such as a shape or a listener, {error}") from error
        facts = replace(self._facts, interrupted=interrupts.seen)
        return self._with_health([(arm, arm.recorder.log.finish(), arm.with_own(facts)) for arm in self._arms])

    def _play(self, interrupts: Interrupts) -> None:
        """Begin, follow the shape, and end, whatever happens."""
        try:
            for arm in self._arms:
                arm.begin(is_interrupted=lambda: bool(interrupts.seen))
            if self._dispatcher is not None:
                self._dispatcher.warm_up(is_interrupted=lambda: bool(interrupts.seen))
            self._drive(interrupts)
        except KeyboardInterrupt:
            self._kill()
            raise
        finally:
            self._end()

    def _drive(self, interrupts: Interrupts) -> None:
        """Follow the shape to its end, or to whatever ends it earlier."""
        pace = self._plan.pace(self._arms[0].runner)
        began, began_s = self._set_clock()
        self._begin(began, began_s)
        progress_at_s = 0.0
        while not interrupts.seen:
            now_s = time.perf_counter() - began_s
            level = pace.at(now_s)
            if level is None or level.stage != self._stage:
                self._finish_stage()
                if level is None:
                    self._skip_to_the_end()
                if level is None or not self._next_stage(level.stage):
                    break
            self._user_s += sum(arm.users.alive for arm in self._arms) * max(0.0, now_s - self._elapsed_s)
            self._elapsed_s = now_s
            self._move(level)
            if now_s >= progress_at_s:
                progress_at_s = now_s + _PROGRESS_S
                if self._is_ended():
                    break
            gevent.sleep(TICK_S)
        if isinstance(pace, LocustPace):
            self._elapsed_s = time.perf_counter() - began_s
            self._most_users = pace.most_users
        drift_s = (time.time() - began) - (time.perf_counter() - began_s)
        self._facts = replace(self._facts, clock_jump_s=drift_s)

    def _make_arms(self, hosts: Sequence[str], seed: int) -> list[Arm]:
        del seed
        return [Arm(self._plan, host, share=1 / len(hosts)) for host in hosts]

    def _set_clock(self) -> tuple[float, float]:
        """Return when the run begins, by the wall clock, which samples carry, and by the one that the shape follows."""
        return time.time(), time.perf_counter()

    def _begin(self, began: float, began_s: float) -> None:
        for arm in self._arms:
            arm.recorder.began = began
        self._probe.start()
        self._keeper.start()
        if self._dispatcher is not None:
            self._dispatcher.begin(began, began_s)
        self._on_stage_begin()

    def _move(self, level: Level) -> None:
        for arm in self._arms:
            arm.users.move_to(level)
            arm.note_users()

    def _finish_stage(self) -> None:
        """Bring a stage to its own end: a ramp's last users are due between its last tick and that."""
        if self._plan.locust_shape is None:
            self._move(Level(self._stage, self._plan.stages[self._stage].users))
        self._elapsed_s = sum(stage.duration_s for stage in self._plan.stages[: self._stage + 1])

    def _skip_to_the_end(self) -> None:
        """Leave the last stage; stages that a blocked event loop slept through count as never reached."""
        slept_through = self._plan.stages[self._stage + 1 :]
        self._add_stages(len(slept_through))
        self._elapsed_s += sum(stage.duration_s for stage in slept_through)

    def _next_stage(self, stage: int) -> bool:
        """Begin ``stage``; False when somebody has seen enough."""
        goes_on = self._on_stage_end()
        if goes_on:
            self._add_stages(stage - self._stage)
            self._stage = stage
            self._on_stage_begin()
        return goes_on

    def _add_stages(self, count: int) -> None:
        for arm in self._arms:
            arm.reached += [0] * count

    def _is_ended(self) -> bool:
        """Tell, and note, whether somebody who looks on, or the code of the users, ends the run here."""
        cut = self._on_progress()
        stopped = next(filter(None, (arm.stopped for arm in self._arms)), "")
        self._facts = replace(self._facts, cut=cut, stopped=stopped)
        return bool(cut or stopped)

    def _end(self) -> None:
        """Stop everything that this run started, whatever happened."""
        with ExitStack() as at_last:
            at_last.callback(end_resolver_threads)
            for arm in self._arms:
                at_last.callback(arm.close)
            at_last.callback(self._keeper.stop)
            try:
                self._probe.stop()
                self._stop()
            except KeyboardInterrupt:
                self._kill()
                raise

    def _stop(self) -> None:
        """Stop all users: those of both arms at once, so that each has as long to answer as the other."""
        if self._dispatcher is not None:
            self._dispatcher.stop()
        stops = Group()
        for arm in self._arms:
            stops.spawn(arm.users.stop_all)
        try:
            stops.join(raise_error=True)
        finally:
            stops.kill()

    def _kill(self) -> None:
        """Stop all users at once."""
        if self._dispatcher is not None:
            self._dispatcher.stop()
        for arm in self._arms:
            arm.users.kill_all()

    def _seal(self) -> None:
        """End a piece of what is recorded, and hand it over."""
        self._sends.fold()
        for arm in self._arms:
            pieces = arm.recorder.log.seal()
            if self._plan.keep is not None:
                health = self._probe.health_so_far(len(arm.recorder.log))
                (so_far,) = self._results_of([(arm, _NO_SAMPLES, arm.with_own(self._facts))], health)
                self._plan.keep(arm.recorder.log.pairs, pieces, so_far)

    def _results_so_far(self) -> tuple[RunResult, ...]:
        return self._with_health([(arm, arm.recorder.log.freeze(), self._facts) for arm in self._arms])

    def _with_health(self, parts: Sequence[_Part]) -> tuple[RunResult, ...]:
        return self._results_of(parts, self._health([samples for _, samples, _ in parts]))

    def _results_of(self, parts: Sequence[_Part], health: GeneratorHealth) -> tuple[RunResult, ...]:
        stages = self._plan.stages
        if self._plan.locust_shape is not None and self._elapsed_s > 0:
            stages = (replace(stages[0], duration_s=self._elapsed_s, users=self._most_users),)
        return tuple(
            RunResult(
                test=self._test,
                scenario=self._scenario,
                host=arm.host,
                started_at=self._started_at,
                duration_s=self._elapsed_s,
                stages=stages,
                users_reached=tuple(arm.reached),
                samples=samples,
                warmup_s=self._warmup_s,
                errors=arm.recorder.errors,
                counters=dict(arm.counters.as_dict()),
                generator=arm.with_health(health),
                facts=facts,
                notes=arm.notes,
            )
            for arm, samples, facts in parts
        )

    def _health(self, samples: Sequence[Measured]) -> GeneratorHealth:
        """Return how the generator did on all arms together."""
        health, windows = self._probe.health(sum(map(len, samples))), self._steady_windows()
        if not is_open(self._plan.stages):
            return replace(health, dispersion=dispersion_of_counts(samples[0].starts, windows))
        lags_ms = self._sends.lags_ms
        return replace(
            health,
            dispersion=dispersion_of_counts(self._sends.counts, windows),
            send_lag_p99_ms=lags_ms.percentile(P99) if lags_ms.count else None,
        )

    def _steady_windows(self) -> tuple[Window, ...]:
        """Return the stages without their beginnings, where users start all at once or the rate still moves."""
        windows = stage_windows(self._plan.stages, ended_s=self._elapsed_s)
        return tuple(
            after_warmup(window, window.start_s + (stage.ramp_s if stage.arrival_rate_rps else _UNSTEADY_S))
            for window, stage in zip(windows, self._plan.stages, strict=False)
        )

    @property
    def _stage_name(self) -> str:
        return self._plan.stages[self._stage].name

    @property
    def _left_s(self) -> float | None:
        """Seconds until the shape ends; None where only the shape knows."""
        duration_s = self._plan.duration_s
        return None if duration_s is None else max(0.0, duration_s - self._elapsed_s)

    def _on_progress(self) -> str:
        """Look at the run a few times a second; a text ends it early, as the reason why."""
        return ""

    def _on_stage_begin(self) -> None:
        """Take note that a stage begins."""

    def _on_stage_end(self) -> bool:
        """Look at the run when a stage is over; False ends it there."""
        return True
