"""Users that wait for tasks to be due, and do one each."""

from __future__ import annotations

import math
from bisect import bisect
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

from gevent import GreenletExit, getcurrent
from gevent.pool import Group
from locust import User
from locust.env import Environment
from locust.exception import InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately, StopTest, StopUser
from locust.user.task import LOCUST_STATE_RUNNING

from tailgate.engine.context import KILL_PATIENCE_S, RunContext

MOST_USERS = 1000
"""Users of a pool; a task that is due while all of them are busy is not sent, and counted."""
_RESERVE_S = 0.05
"""As many users are idle as tasks may come in this time, so that none waits for its user to log in."""
_FEWEST_IDLE = 2

_END_OF_TASK = (InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately)


class UserPool:
    """The users of one arm, in the open model.

    There are always idle users in reserve; on a stall, more are made.
    """

    def __init__(
        self,
        environment: Environment,
        classes: Sequence[type[User]],
        context: RunContext,
        *,
        rate_rps: float,
        stop_timeout_s: float,
    ) -> None:
        self._environment = environment
        self._context = context
        self._stop_timeout_s = stop_timeout_s
        self._classes = [cls for cls in classes if cls.weight > 0]
        self._weights_so_far = list(accumulate(cls.weight for cls in self._classes))
        self._reserve = _reserve({cls: cls.weight for cls in self._classes}, rate_rps)
        self._idle: dict[type[User], list[User]] = {cls: [] for cls in self._classes}
        self._starting: Counter[type[User]] = Counter()
        self._users: set[User] = set()
        self._work = Group()
        self._leaving = Group()
        self._is_ending = False
        self._started = 0
        self.due = 0
        """Tasks of this arm that were due so far."""
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

    @property
    def is_working(self) -> bool:
        """Whether a user does something: its task, or what it does at its start."""
        return len(self._work) > 0

    def start_reserve(self) -> None:
        """Have the first users start, before the clock of the run does.

        What they send is recorded as long before the run, where no window is.
        """
        self._context.recorder.began = math.inf
        for cls, count in self._reserve.items():
            for _ in range(count):
                self._add_user(cls)

    def wait_idle(self, timeout_s: float) -> None:
        """Wait until all users are idle, or until ``timeout_s`` is over."""
        self._work.join(timeout=timeout_s)

    def start_task(self, due: float, class_draw: float, task_draw: float) -> None:
        """Have an idle user do a task beside whatever else goes on; if all are busy, it stays unsent.

        Args:
            due: When it was due, by the wall clock.
            class_draw: From 0 to 1, decides by weight whose task it is.
            task_draw: From 0 to 1, decides which task of that class.
        """
        self.due += 1
        weights = self._weights_so_far
        cls = self._classes[bisect(weights, class_draw * weights[-1], 0, len(weights) - 1)]
        if self._idle[cls] or self._has_room():
            self._work.spawn(self._do_task, cls, due, task_draw)

    def move_to(self, level: object) -> None:
        """Take no note of levels: the rate moves by itself."""

    def stop_all(self) -> None:
        """Wait for the tasks that run, kill what then still runs, and have the users leave."""
        self._work.join(timeout=self._stop_timeout_s)
        self._is_ending = True
        self._work.kill(timeout=KILL_PATIENCE_S)
        self.unstoppable = len(self._work)
        while self._users:
            self._leaving.spawn(self._leave, self._users.pop())
        self._leaving.join(timeout=self._stop_timeout_s)
        self._leaving.kill(timeout=KILL_PATIENCE_S)
        self._context.end_helpers(self._stop_timeout_s)

    def kill_all(self) -> None:
        """End everything at once."""
        self._stop_timeout_s = 0.0
        self.stop_all()

    def _has_room(self) -> bool:
        return len(self._users) < MOST_USERS

    def _do_task(self, cls: type[User], due: float, draw: float) -> None:
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
        task: Any = user.tasks[int(draw * len(user.tasks))]
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
