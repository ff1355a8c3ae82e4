"""Keep the living users at the level that the shape asks for."""

from __future__ import annotations

from collections.abc import Sequence

import gevent
from gevent.pool import Group
from locust import User
from locust.runners import Runner

from tailgate.engine.plan import Level, allocate
from tailgate.engine.users import RunContext, is_alive

_KILL_PATIENCE_S = 2.0


class Population:
    """The users of one run.

    Locust's own dispatcher moves once a second and waits for users that it stops, so a stage of half a second would
    be skipped and a hung request would hold up the next stage. Here every change happens at once, and stopping is
    done by greenlets beside the run. A user that died is not replaced: its death is a finding.
    """

    def __init__(
        self, runner: Runner, originals: Sequence[type[User]], context: RunContext, stop_timeout_s: float
    ) -> None:
        self._runner = runner
        self._context = context
        self._stop_timeout_s = stop_timeout_s
        self._users: dict[str, list[User]] = {cls.__name__: [] for cls in originals}
        self._weights = {cls.__name__: cls.weight for cls in originals if not cls.fixed_count}
        self._fixed = {cls.__name__: cls.fixed_count for cls in originals if cls.fixed_count}
        self._stoppers = Group()
        self.unstoppable = 0

    @property
    def alive(self) -> int:
        """Users that live and were not asked to end."""
        return sum(is_alive(user) for users in self._users.values() for user in users)

    def move_to(self, level: Level) -> None:
        """Start and stop users until ``level`` is there."""
        weights = self._weights
        if level.user_classes is not None:
            allowed = {cls.__name__ for cls in level.user_classes}
            weights = {name: weight if name in allowed else 0 for name, weight in weights.items()}
        wanted = allocate(level.users, weights, self._fixed)
        starts = {name: count - len(self._users[name]) for name, count in wanted.items()}
        for user in self._runner.spawn_users({name: count for name, count in starts.items() if count > 0}):
            self._users[type(user).__name__].append(user)
        for name, count in starts.items():
            for _ in range(-count):
                self._stop(self._users[name].pop())

    def stop_all(self) -> None:
        """Ask every user to end, wait for running requests, and kill what then still runs."""
        for users in self._users.values():
            while users:
                self._stop(users.pop())
        self._stoppers.join()

    def _stop(self, user: User) -> None:
        self._context.stopping.add(user)
        self._stoppers.spawn(self._end, user)

    def _end(self, user: User) -> None:
        if not is_alive(user):
            return
        user.stop(force=False)
        user.greenlet.join(timeout=self._stop_timeout_s)
        if is_alive(user):
            user.greenlet.kill(block=False)
            user.greenlet.join(timeout=_KILL_PATIENCE_S)
        if is_alive(user):
            self.unstoppable += 1

    def started(self) -> list[gevent.Greenlet]:
        """Return the greenlets of the users that live."""
        return [user.greenlet for users in self._users.values() for user in users if is_alive(user)]
