"""The users of all workers together, moved by messages."""

from __future__ import annotations

import time
from collections.abc import Callable

from tailgate.engine.context import KILL_PATIENCE_S
from tailgate.engine.fleet.master import Master
from tailgate.engine.fleet.wire import LEVEL, STOP
from tailgate.engine.fleet.workers import Workers
from tailgate.engine.plan import Level, LoadPlan

_SLACK_S = 5.0
"""What a worker may take beside what its users may."""


class RemoteUsers:
    """What ``Population`` is for users of this process."""

    def __init__(self, master: Master, workers: Workers, plan: LoadPlan, *, look: Callable[[], None]) -> None:
        """Set it up; ``look`` finds workers that are lost."""
        self._classes = [cls.__name__ for cls in plan.user_classes]
        self._master = master
        self._workers = workers
        self._look = look
        # A user may take this long to answer and another time to be killed; so may what it left behind.
        self._patience_s = 2 * (plan.stop_timeout_s + KILL_PATIENCE_S) + _SLACK_S
        self._level: Level | None = None

    @property
    def alive(self) -> int:
        """Users that live, by the last reports."""
        return sum(seat.last.users for seat in self._master.seats.values() if not seat.lost)

    @property
    def unstoppable(self) -> int:
        """Users that did not end when they were killed."""
        return sum(seat.last.unstoppable for seat in self._master.seats.values())

    def move_to(self, level: Level) -> None:
        """Have every worker bring its share of the users to ``level``.

        Raises:
            BadInput: As for ``Population``.
        """
        if level == self._level:
            return
        self._level = level
        classes = level.names_among(self._classes)
        self._master.tell(LEVEL, {"stage": level.stage, "users": level.users, "user_classes": classes})

    def stop_all(self) -> None:
        """Have every worker stop its users, and wait for the last reports."""
        self._master.tell(STOP)
        deadline_s = time.monotonic() + self._patience_s
        while not all(seat.is_over for seat in self._master.seats.values()):
            self._master.news.clear()
            self._master.news.wait(0.1)
            self._look()
            if time.monotonic() > deadline_s:
                break
        for seat in self._master.seats.values():
            if not seat.is_over:
                seat.lost = f"worker {seat.name} did not end within {self._patience_s:g} s of being told to"

    def kill_all(self) -> None:
        """End the workers that we started; the others notice that the master is gone."""
        for seat in self._master.seats.values():
            self._workers.kill(seat.name)
            seat.lost = seat.lost or f"worker {seat.name} was killed"
