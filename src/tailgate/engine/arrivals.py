"""Start tasks at a rate, however long answers take: the open model."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Sequence
from typing import Any

import gevent
from gevent import GreenletExit, getcurrent
from gevent.pool import Group
from locust import FastHttpUser, User
from locust.env import Environment
from locust.exception import InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately, StopTest, StopUser
from locust.user.task import LOCUST_STATE_RUNNING

from tailgate.engine.context import RunContext
from tailgate.engine.users import LoopBlocked
from tailgate.model import Stage
from tailgate.shapes import rate_at

MOST_USERS = 1000
"""Tasks that run at the same time; one that is due while so many run is not sent, and counted."""
_RESERVE_S = 0.05
"""Users are made ahead for as many arrivals as come in this time, and at least ``_FEWEST_USERS``."""
_FEWEST_USERS = 4
_KILL_PATIENCE_S = 2.0
_SEED = 1
"""The same arrivals in every run: one thing less in which two runs differ."""

_END_OF_TASK = (InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately)


class Arrivals:
    """Has a pooled user do one task each time one is due.

    One greenlet draws exponential gaps, so that arrivals are Poisson; with a rate that moves, candidates at the highest
    rate are thinned out. It never waits for a user, and so never turns into a closed loop.

    Source: Lewis and Shedler 1979, https://doi.org/10.1002/nav.3800260304 (thinning).
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
        self._classes = [cls for cls in classes if cls.weight > 0]
        self._weights = [cls.weight for cls in self._classes]
        self._context = context
        self._stages = stages
        self._peak_rps = max(stage.arrival_rate_rps or 0.0 for stage in stages)
        self._stop_timeout_s = stop_timeout_s
        self._random = random.Random(_SEED)
        self._idle: dict[type[User], list[User]] = {cls: [] for cls in self._classes}
        self._users: list[User] = []
        self._tasks = Group()
        self._dispatcher: gevent.Greenlet | None = None
        self.due = 0
        """Tasks that were due so far."""
        self.unsent = 0
        """Tasks of them that could not be started."""
        self.unstoppable = 0

    @property
    def alive(self) -> int:
        """Users in the pool, busy or not."""
        return len(self._users)

    def warm_up(self) -> None:
        """Make the first users and let them start, before the clock of the run does.

        What they send is recorded as long before the run, where no window is.
        """
        self._context.recorder.began = math.inf
        wanted = max(_FEWEST_USERS, math.ceil(self._peak_rps * _RESERVE_S))
        starts = Group()
        for _ in range(wanted):
            cls = self._draw_class()
            starts.spawn(self._add_idle, cls)
        starts.join()

    def begin(self) -> None:
        """Let tasks arrive from now on."""
        self._dispatcher = gevent.spawn(self._dispatch, time.time(), time.perf_counter())

    def move_to(self, level: object) -> None:
        """Take no note of levels: the rate moves by itself."""

    def stop_all(self) -> None:
        """Start no more tasks, wait for those that run, and kill what then still runs."""
        if self._dispatcher is not None:
            self._dispatcher.kill()
        self._tasks.join(timeout=self._stop_timeout_s)
        self._tasks.kill(block=True, timeout=_KILL_PATIENCE_S)
        self.unstoppable = len(self._tasks)
        ends = Group()
        for user in self._users:
            ends.spawn(self._leave, user)
        ends.join(timeout=self._stop_timeout_s)
        ends.kill(block=True, timeout=_KILL_PATIENCE_S)

    def kill_all(self) -> None:
        """End everything at once."""
        self._stop_timeout_s = 0.0
        self.stop_all()

    def _dispatch(self, began: float, began_s: float) -> None:
        """Start a task whenever one is due; ``began`` is the wall clock's, ``began_s`` the monotonic clock's."""
        duration_s = sum(stage.duration_s for stage in self._stages)
        due_s = 0.0
        while (due_s := due_s + self._random.expovariate(self._peak_rps)) < duration_s:
            if self._random.random() * self._peak_rps > rate_at(self._stages, due_s):
                continue
            gevent.sleep(max(0.0, due_s - (time.perf_counter() - began_s)))
            self.due += 1
            cls = self._draw_class()
            if not self._idle[cls] and len(self._users) >= MOST_USERS:
                self.unsent += 1
                continue
            self._tasks.spawn(self._do_task, cls, began + due_s)

    def _draw_class(self) -> type[User]:
        return self._random.choices(self._classes, self._weights)[0]

    def _do_task(self, cls: type[User], due: float) -> None:
        """Have an idle user, or a new one, do one of its tasks, which was due at the wall clock's ``due``."""
        user = self._idle[cls].pop() if self._idle[cls] else self._enter(cls)
        if user is None:
            return
        greenlet = getcurrent()
        user._greenlet = greenlet  # noqa: SLF001 - whose client this greenlet uses
        recorder = self._context.recorder
        recorder.due_by_greenlet[greenlet] = due
        try:
            task: Any = random.choice(user.tasks)
            self._guarded(user, lambda: task(user))
        finally:
            recorder.due_by_greenlet.pop(greenlet, None)
            if user in self._users:
                self._idle[cls].append(user)

    def _add_idle(self, cls: type[User]) -> None:
        user = self._enter(cls)
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
        self._users.append(user)
        self._guarded(user, user.on_start, is_task=False)
        return user if user in self._users else None

    def _guarded(self, user: User, action: Callable[[], Any], *, is_task: bool = True) -> None:
        """Do something of a user; a failed task is counted, anything that ends a user takes it from the pool."""
        kind, recorder = type(user).__name__, self._context.recorder
        try:
            action()
        except _END_OF_TASK:
            pass
        except GreenletExit:
            raise
        except (StopUser, StopTest):
            self._bury(user, "stopped itself (StopUser or StopTest)")
        except LoopBlocked as error:
            self._bury(user, error)
        except Exception as error:  # noqa: BLE001 - recorded, and a reason against the run
            if is_task:
                recorder.task_exceptions.add(kind, error)
            else:
                self._bury(user, error)

    def _bury(self, user: User, cause: BaseException | str) -> None:
        self._context.recorder.user_deaths.add(type(user).__name__, cause)
        self._users.remove(user)
        _close(user)

    def _leave(self, user: User) -> None:
        try:
            user.on_stop()
        except Exception as error:  # noqa: BLE001 - recorded, and a reason against the run
            self._context.recorder.task_exceptions.add(f"{type(user).__name__}.on_stop", error)
        finally:
            _close(user)


def _close(user: User) -> None:
    if isinstance(user, FastHttpUser) and user.client_pool is None:
        user.client.client.close()
