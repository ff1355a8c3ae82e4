"""What the plugin does while a run goes on: show progress, find broken steps and spent budgets."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from tailgate.announcing import ProgressLine
from tailgate.budget import spent_budget
from tailgate.figures import broken_checks
from tailgate.model import Scenario, Stage
from tailgate.percentiles import percentile
from tailgate.reports.progress import Progress, Throughput
from tailgate.run import RunResult
from tailgate.samples import SampleLog
from tailgate.shapes import Stress, is_open, level_at, rate_at

if TYPE_CHECKING:
    from tailgate.engine import LiveRun

ACTION_PATIENCE_S = 30.0
"""How long after the run an action of its last stage may take."""
_RECENT = 500
"""The live p95 is over this many last requests."""
_BUDGET_EVERY_S = 1.0
_PIECES = 200
"""However long the shape is: what is computed during a run holds up the users' event loop."""


class RunMonitor:
    """Watches one run for the plugin; see ``tailgate.engine.Monitor``."""

    def __init__(
        self,
        *,
        line: ProgressLine,
        scenario: Scenario,
        shape: object,
        stages: Sequence[Stage],
        actions: Mapping[str, Callable[[], object]],
        aborts_on_fail: bool,
    ) -> None:
        self._line = line
        self._scenario = scenario
        self._shape = shape
        self._stages = stages
        self._aborts_on_fail = aborts_on_fail
        self._actions = actions
        self._threads: dict[str, threading.Thread] = {}
        self._action_errors: list[str] = []
        self._budget_at_s = 0.0
        self._throughput = Throughput()

    def on_progress(self, live: LiveRun) -> str:
        """Show the progress; return why the run has to be cut, if it has to."""
        self._line.show(self._progress(live))
        if not self._aborts_on_fail or live.elapsed_s < self._budget_at_s:
            return ""
        self._budget_at_s = live.elapsed_s + _BUDGET_EVERY_S
        samples, failures = live.log.count_since(self._scenario.warmup_s)
        return spent_budget(
            self._scenario,
            samples=samples,
            failures=failures,
            **self._outlook(live),
        )

    def _outlook(self, live: LiveRun) -> dict[str, float]:
        """Return what tells how many requests are to come."""
        if is_open(self._stages):
            left = _left(self._stages, live.elapsed_s, rate_at)
            came = _left(self._stages, 0.0, rate_at) - left
            # Requests a task, and tasks that are to come. A task that waits for its first answer is one as well.
            return {"rps_per_user": max(1.0, len(live.log) / came) if came > 0 else 1.0, "left_user_s": left}
        return {
            "rps_per_user": len(live.log) / live.user_s if live.user_s > 0 else 0.0,
            "left_user_s": math.inf if live.left_s is None else _left(self._stages, live.elapsed_s, _users_at),
        }

    def on_stage_begin(self, stage: str) -> None:
        """Do what the test asked for at this stage, beside the run."""
        if stage in self._actions:
            thread = threading.Thread(target=self._act, args=(stage,), name=f"tailgate-at-{stage}", daemon=True)
            self._threads[stage] = thread
            thread.start()

    def join_actions(self) -> tuple[str, ...]:
        """Wait until every action is over and return what they raised, and which took too long."""
        for stage, thread in self._threads.items():
            thread.join(timeout=ACTION_PATIENCE_S)
            if thread.is_alive():
                self._action_errors.append(f"at_stage {stage!r} did not end within {ACTION_PATIENCE_S:g} s of the run")
        return tuple(self._action_errors)

    def _act(self, stage: str) -> None:
        try:
            self._actions[stage]()
        except BaseException as error:  # noqa: BLE001 - told as a reason against the run; nobody else hears of a thread's
            self._action_errors.append(f"at_stage {stage!r} raised {type(error).__name__}: {error}")

    def on_stage_end(self, stage: str, so_far: Callable[[], RunResult]) -> bool:
        """End a stress run at the first step that breaks; note an action that outlives its stage."""
        if stage in self._threads and self._threads[stage].is_alive():
            self._action_errors.append(f"at_stage {stage!r} was not done when its stage ended; make the stage longer")
        return not isinstance(self._shape, Stress) or not broken_checks(so_far(), self._scenario, stage)

    def _progress(self, live: LiveRun) -> Progress:
        return Progress(
            stage=f"{self._scenario.name}/{live.stage}",
            users=live.users,
            throughput_rps=self._throughput.rps(live.elapsed_s, len(live.log)),
            p95_ms=recent_p95_ms(live.log),
            failures=live.log.failures,
            left_s=live.left_s,
        )


def recent_p95_ms(log: SampleLog) -> float | None:
    """Return the p95 of the last successes; None while there are none."""
    latencies = log.recent_latencies_ms(_RECENT)
    return percentile(latencies, Fraction(95, 100)) if latencies.size else None


def _users_at(stages: Sequence[Stage], at_s: float) -> float:
    return level_at(stages, at_s)[1]


def _left(stages: Sequence[Stage], elapsed_s: float, at: Callable[[Sequence[Stage], float], float]) -> float:
    """Return the integral of users, or of a rate, after ``elapsed_s``, from the middles of equal pieces."""
    left_s = max(0.0, sum(stage.duration_s for stage in stages) - elapsed_s)
    piece_s = left_s / _PIECES
    return sum(at(stages, elapsed_s + (number + 0.5) * piece_s) * piece_s for number in range(_PIECES))
