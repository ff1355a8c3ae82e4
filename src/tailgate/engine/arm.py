"""One host under load, with all that belongs to it alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from gevent.pool import Group
from locust.env import Environment
from locust.runners import STATE_RUNNING, Runner

from tailgate.counters import Counters
from tailgate.engine.context import RunContext
from tailgate.engine.events import NoStatistics, RunEvents
from tailgate.engine.plan import Level, LoadPlan
from tailgate.engine.pool import UserPool
from tailgate.engine.population import Population
from tailgate.engine.recorder import Recorder
from tailgate.engine.users import is_paced, make_run_class
from tailgate.model import GeneratorHealth
from tailgate.run import RunFacts
from tailgate.samples import MOST_EXACT
from tailgate.shapes import is_open

if TYPE_CHECKING:
    from tailgate.engine.ui import RunUi


class Users(Protocol):
    """The users of an arm."""

    @property
    def unstoppable(self) -> int:
        """How many did not end when they were killed."""
        ...  # pragma: no cover

    @property
    def alive(self) -> int:
        """How many live."""
        ...  # pragma: no cover

    def move_to(self, level: Level) -> None:
        """Start or stop users until ``level`` is there."""
        ...  # pragma: no cover

    def stop_all(self) -> None:
        """Ask all to end, wait for them, and kill those that take too long."""
        ...  # pragma: no cover

    def kill_all(self) -> None:
        """End all at once."""
        ...  # pragma: no cover


class Arm:
    """One host under load: its users and all that they share. Two arms of a run share nothing."""

    def __init__(self, plan: LoadPlan, host: str, share: float) -> None:
        """Set up what the users need, and start none; ``share`` is how much of an arrival rate comes here."""
        self.host = host
        self.recorder = Recorder(
            is_numbered=plan.is_numbered,
            tracer=plan.tracer,
            # Arms of a duet are compared request by request.
            most_exact=MOST_EXACT if share == 1 else math.inf,
        )
        self.counters = Counters()
        self.reached = [0]
        """Highest level of living users in each stage that was begun."""
        self._context = RunContext(
            recorder=self.recorder, counters=self.counters, host=host, request_timeout_s=plan.request_timeout_s
        )
        self._classes = [make_run_class(cls, plan.tags, self._context) for cls in plan.user_classes]
        self.events = RunEvents(self.recorder)
        self.events.events.user_error.add_listener(self.recorder.on_user_error)
        self._environment = Environment(
            user_classes=self._classes, events=self.events.events, host=host, stop_timeout=plan.stop_timeout_s
        )
        self.runner = self._make_runner(self._environment)
        self._ui = self._make_ui(plan.ui_port) if plan.ui_port is not None else None
        if self._ui is None:
            self._environment.stats = NoStatistics()  # type: ignore[assignment] # on purpose
            self.events.drop_statistics()
        self.events.adopt_global_listeners()
        self.users: Users = self._make_users(plan, share)

    def _make_runner(self, environment: Environment) -> Runner:
        return environment.create_local_runner()

    def _make_ui(self, port: int) -> RunUi:
        from tailgate.engine.ui import RunUi  # noqa: PLC0415 - only if asked for

        return RunUi(self._environment, port, users=lambda: self.users.alive, counters=self.counters.as_dict)

    def _make_users(self, plan: LoadPlan, share: float) -> Users:
        if not is_open(plan.stages):
            return Population(self.runner, self._classes, self._context, plan.stop_timeout_s)
        peak_rps = max(stage.arrival_rate_rps or 0.0 for stage in plan.stages)
        return UserPool(
            self._environment,
            self._classes,
            self._context,
            rate_rps=share * peak_rps,
            stop_timeout_s=plan.stop_timeout_s,
        )

    def begin(self, *, is_interrupted: Callable[[], bool]) -> None:
        """Get ready, for as long as nobody interrupts, and tell listeners that a test starts, as Locust does."""
        del is_interrupted
        self.tell_init()
        self.tell_start()

    def tell_init(self) -> None:
        """Tell listeners that there is a runner."""
        web_ui = None
        if self._ui is not None:
            self._ui.open()
            web_ui = self._ui.web_ui
        self._environment.events.init.fire(environment=self._environment, runner=self.runner, web_ui=web_ui)

    def tell_start(self) -> None:
        """Tell listeners that a test starts."""
        self._environment.events.test_start.fire(environment=self._environment)
        self.runner.update_state(STATE_RUNNING)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the results should know."""
        return ()

    def note_users(self) -> None:
        """Note how many users live in the stage that goes on."""
        self.reached[-1] = max(self.reached[-1], self.users.alive)

    @property
    def stopped(self) -> str:
        """What ended the run early on this arm; empty if nothing did."""
        return "" if self.runner.state == STATE_RUNNING else "user code stopped Locust's runner"

    def close(self) -> None:
        """Leave nothing of Locust behind; the users have been stopped."""
        if self._ui is not None:
            self._ui.close()
        try:
            self.runner.user_greenlets = Group()  # For a user that cannot be killed quit() would wait for ever.
            self.runner.quit()
        finally:
            self.runner.greenlet.kill()  # Where a listener of test_stop kept quit() from it.
            self.close_sessions()

    def close_sessions(self) -> None:
        """Close the connections of all users."""
        self._context.close_all_sessions()

    def with_health(self, health: GeneratorHealth) -> GeneratorHealth:
        """Return the figures of the generator together with those of this arm."""
        if isinstance(self.users, UserPool):
            return replace(health, due=self.users.due, unsent=self.users.unsent)
        return health

    def with_own(self, facts: RunFacts) -> RunFacts:
        """Return the facts of the whole run together with those of this arm."""
        return replace(
            facts,
            user_deaths=self.recorder.user_deaths.counts,
            task_exceptions=self.recorder.task_exceptions.counts,
            listener_errors=self.events.failures,
            unreported=max(0, self.recorder.sent - self.recorder.answered),
            unstoppable_users=self.users.unstoppable,
            paced_classes=tuple(cls.__name__ for cls in self._classes if is_paced(cls)),
        )
