"""The shortest way to have worker processes put load on something."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tailgate.distributing import LocalWorkers
from tailgate.engine import make_plan, run_load
from tailgate.model import Scenario
from tailgate.run import RunResult
from tailgate.stack.sandbox import Sandbox
from tailgate.validity import find_reasons
from tests.acceptance.engine_runs import Watch, hold

ROOT = Path(__file__).parents[2]


class Crew(LocalWorkers):
    """Local workers that can be hurt."""

    def signal(self, name: str, number: signal.Signals) -> None:
        os.kill(self._processes[name].pid, number)

    @property
    def pids(self) -> list[int]:
        return [process.pid for process in self._processes.values()]


class Then(Watch):
    """A monitor that does something once, as soon as the run is so old."""

    def __init__(self, at_s: float, then) -> None:
        super().__init__()
        self._at_s = at_s
        self._then = then

    def on_progress(self, live) -> str:
        if live.elapsed_s >= self._at_s and self._then is not None:
            then, self._then = self._then, None
            then()
        return super().on_progress(live)


def run_with(workers, users, host: str, shape=None, *, monitor=None, **options) -> RunResult:
    """Run ``users`` in these workers."""
    shape = shape or hold(4, 0.6)
    plan = make_plan(users, shape=shape, host=host, in_workers=True, **{"stop_timeout_s": 1.0, **options})
    monitor = monitor or Watch()
    return run_load(plan, test="a test", scenario="a scenario", warmup_s=0.0, monitor=monitor, workers=workers)


def run_in_workers(users, host: str, shape=None, *, count: int = 2, monitor=lambda crew: None, **options) -> RunResult:
    """Run ``users`` in ``count`` new workers; ``monitor`` makes what watches them."""
    with Sandbox() as sandbox:
        crew = Crew(sandbox, count, ROOT, lambda text: None)
        return run_with(crew, users, host, shape, monitor=monitor(crew), **options)


def reasons_of(run: RunResult) -> tuple[str, ...]:
    return find_reasons(run, Scenario(name="x"), ())
