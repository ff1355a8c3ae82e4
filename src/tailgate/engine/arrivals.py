"""Start tasks at a rate, however long answers take: the open model."""

from __future__ import annotations

import math
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import gevent
from gevent import GreenletExit, getcurrent
from gevent.pool import Group
from locust import User
from locust.env import Environment
from locust.exception import InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately, StopTest, StopUser
from locust.user.task import LOCUST_STATE_RUNNING

from tailgate.engine.context import KILL_PATIENCE_S, RunContext
from tailgate.model import Stage
from tailgate.shapes import arrival_times

MOST_USERS = 1000
"""Users of a pool; a task that is due while all of them are busy is not sent, and counted."""
WARM_UP_PATIENCE_S = 30.0
"""How long the first users may take to start before the run begins without them."""
_RESERVE_S = 0.05
"""As many users are idle as tasks may come in this time, so that none waits for its user to log in."""
_FEWEST_IDLE = 2
_LOOK_S = 0.1
_SEED = 1
"""The same arrivals in every run: one thing less in which two runs differ."""

_END_OF_TASK = (InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately)


class Dispatcher:
    """Has a pooled user do one task each time one is due.

    One greenlet starts all tasks, and it waits for nothing but the time of the next: a slow service is asked as often
    as a quick one. There are always idle users in reserve; on a stall, more are made.
    """

    def __init__(
        self,
        environment: Environment,
        classes: Sequence[type[User]],
        context: RunContext,
        stages: Sequence[Stage],
        stop_timeout_s: float,
    ) -> None:
        self._environment = environment
        self._context = context
        self._stop_timeout_s = stop_timeout_s
        self._weights = {cls: cls.weight for cls in classes if cls.weight > 0}
        self._reserve = _reserve(self._weights, max(stage.arrival_rate_rps or 0.0 for stage in stages))
        self._random = random.Random(_SEED)
        self._due_times_s = arrival_times(stages, random.Random(_SEED))
        self._next_due_s: list[float] = []
        self._idle: dict[type[User], list[User]] = {cls: [] for cls in self._weights}
        self._starting: Counter[type[User]] = Counter()
        self._users: set[User] = set()
        self._work = Group()
        self._dispatching: gevent.Greenlet | None = None
        self._began_s = math.inf
        self._is_ending = False
        self._started = 0
        self.due = 0
        """Tasks that were due so far."""
        self.unstoppable = 0
        """Tasks that did not end when they were killed."""

    @property
    def unsent(self) -> int:
        """Tasks that were due and were not started."""
        return self.due - self._started

    @property
    def alive(self) -> int:
        """Users in the pool, busy or not."""
        return len(self._users)

    def warm_up(self, *, is_interrupted: Callable[[], bool]) -> None:
        """Make the first users and let them start, before the clock of the run does.

        What they send is recorded as long before the run, where no window is.
        """
        self._context.recorder.began = math.inf
        for cls, count in self._reserve.items():
            for _ in range(count):
                self._add_user(cls)
        deadline_s = time.perf_counter() + WARM_UP_PATIENCE_S
        while len(self._work) and time.perf_counter() < deadline_s and not is_interrupted():
            self._work.join(timeout=_LOOK_S)

    def begin(self, began: float, began_s: float) -> None:
        """Have tasks arrive from now on: ``began`` by the wall clock, ``began_s`` by the monotonic one."""
        self._began_s = began_s
        self._dispatching = gevent.spawn(self._dispatch, began)

    def move_to(self, level: object) -> None:
        """Take no note of levels: the rate moves by itself."""

    def stop_all(self) -> None:
        """Start no more tasks, wait for those that run, and kill what then still runs."""
        if self._dispatching is not None:
            self._dispatching.kill()
            self._dispatching = None
            self._count_missed()
        self._work.join(timeout=self._stop_timeout_s)
        self._is_ending = True
        self._work.kill(timeout=KILL_PATIENCE_S)
        self.unstoppable = len(self._work)
        ends = Group()
        while self._users:
            ends.spawn(self._leave, self._users.pop())
        ends.join(timeout=self._stop_timeout_s)
        ends.kill(timeout=KILL_PATIENCE_S)
        self._context.end_helpers(self._stop_timeout_s)

    def kill_all(self) -> None:
        """End everything at once."""
        self._stop_timeout_s = 0.0
        self.stop_all()

    def _dispatch(self, began: float) -> None:
        for due_s in self._due_times_s:
            self._next_due_s = [due_s]
            gevent.sleep(max(0.0, due_s - (time.perf_counter() - self._began_s)))
            self._next_due_s = []
            self.due += 1
            # Drawn here, in the order of arrivals, so that each run does the same.
            (cls,) = self._random.choices(list(self._weights), list(self._weights.values()))
            choice = self._random.random()
            if self._idle[cls] or self._has_room():
                self._work.spawn(self._do_task, cls, began + due_s, choice)

    def _count_missed(self) -> None:
        """Count what was due already when an overloaded dispatcher had to end."""
        ended_s = time.perf_counter() - self._began_s
        for due_s in chain(self._next_due_s, self._due_times_s):
            if due_s >= ended_s:
                return
            self.due += 1

    def _has_room(self) -> bool:
        return len(self._users) < MOST_USERS

    def _do_task(self, cls: type[User], due: float, choice: float) -> None:
        """Have a user do one of its tasks, which was due at the wall clock's ``due``; ``choice`` is from 0 to 1."""
        user = self._idle[cls].pop() if self._idle[cls] else None
        if len(self._idle[cls]) + self._starting[cls] < self._reserve[cls] and self._has_room():
            self._add_user(cls)
        user = user or self._enter(cls)
        if user is None:
            return
        self._started += 1
        greenlet, due_by_greenlet = getcurrent(), self._context.recorder.due_by_greenlet
        user._greenlet = greenlet  # noqa: SLF001 - whose client this greenlet uses
        due_by_greenlet[greenlet] = due
        task: Any = user.tasks[int(choice * len(user.tasks))]
        try:
            is_well = self._survives(user, lambda: task(user))
        finally:
            due_by_greenlet.pop(greenlet, None)
        if is_well:
            self._idle[cls].append(user)
        else:
            self._bury(user)

    def _add_user(self, cls: type[User]) -> None:
        """Have one more user start, beside whatever else goes on."""
        self._starting[cls] += 1
        self._work.spawn(self._start_idle, cls)

    def _start_idle(self, cls: type[User]) -> None:
        try:
            user = self._enter(cls)
        finally:
            self._starting[cls] -= 1
        if user is not None:
            self._idle[cls].append(user)

    def _enter(self, cls: type[User]) -> User | None:
        """Make a user and let it start; None when it died of that."""
        try:
            user = cls(self._environment)
        except Exception as error:  # noqa: BLE001 - recorded, and a reason against the run
            self._context.recorder.user_deaths.add(cls.__name__, error)
            return None
        user._state = LOCUST_STATE_RUNNING
        user._greenlet = getcurrent()
        self._users.add(user)
        if self._survives(user, user.on_start, is_start=True):
            return user
        self._bury(user)
        return None

    def _survives(self, user: User, action: Callable[[], Any], *, is_start: bool = False) -> bool:
        """Do something of a user; a failed task is counted, whatever else goes wrong is the user's death."""
        recorder, kind = self._context.recorder, type(user).__name__
        cause: BaseException | str = "stopped itself (StopUser or StopTest)"
        try:
            action()
        except (StopUser, StopTest):
            pass
        except _END_OF_TASK:
            return True
        except KeyboardInterrupt:
            raise
        except GreenletExit:
            if self._is_ending:
                raise
            cause = "was killed"
        except BaseException as error:  # noqa: BLE001 - also SystemExit and gevent's Timeout; a reason against the run
            if isinstance(error, Exception) and not is_start:
                recorder.task_exceptions.add(kind, error)
                self._environment.events.user_error.fire(user_instance=user, exception=error, tb=error.__traceback__)
                return True
            cause = error
        else:
            if user._state == LOCUST_STATE_RUNNING:  # noqa: SLF001 - user.stop() changes it, and nothing else
                return True
        recorder.user_deaths.add(kind, cause)
        return False

    def _bury(self, user: User) -> None:
        self._users.discard(user)
        self._context.close_sessions_of(user)

    def _leave(self, user: User) -> None:
        user._greenlet = getcurrent()  # noqa: SLF001 - as in _do_task
        try:
            user.on_stop()
        except (GreenletExit, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001 - as in _survives
            self._context.recorder.task_exceptions.add(f"{type(user).__name__}.on_stop", error)
        finally:
            self._context.close_sessions_of(user)


def _reserve(weights: dict[type[User], float], rate_rps: float) -> dict[type[User], int]:
    """Return how many users of each class to keep idle."""
    total = sum(weights.values())
    usual = {cls: rate_rps * _RESERVE_S * weight / total for cls, weight in weights.items()}
    # Three standard deviations of a Poisson number more than usual.
    wanted = {cls: max(_FEWEST_IDLE, math.ceil(count + 3 * math.sqrt(count))) for cls, count in usual.items()}
    return {cls: min(count, MOST_USERS // len(weights)) for cls, count in wanted.items()}
