"""Keep the living users at the level that the shape asks for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import gevent
from gevent.pool import Group
from locust import User
from locust.runners import Runner
from locust.user.task import LOCUST_STATE_STOPPING, LOCUST_STATE_WAITING

from tailgate.engine.context import KILL_PATIENCE_S, RunContext
from tailgate.engine.plan import Level, allocate
from tailgate.engine.shares import WHOLE, Owners, Share
from tailgate.engine.users import is_alive


class Population:
    """The users of one run.

    Locust's own dispatcher moves once a second and waits for users that it stops, so a stage of half a second would
    be skipped and a hung request would hold up the next stage. Here every change happens at once, and stopping is
    done by greenlets beside the run. A user that died is not replaced: its death is a finding.
    """

    def __init__(
        self,
        runner: Runner,
        classes: Sequence[type[User]],
        context: RunContext,
        stop_timeout_s: float,
        share: Share = WHOLE,
    ) -> None:
        self._runner = runner
        self._context = context
        self._stop_timeout_s = stop_timeout_s
        self._classes = {cls.__name__: cls for cls in classes}
        self._weights = {cls.__name__: cls.weight for cls in classes if not cls.fixed_count}
        self._fixed = {cls.__name__: cls.fixed_count for cls in classes if cls.fixed_count}
        self._users: list[tuple[str, User | None]] = []
        """Class and user in the order of their start; None is one that could not be made, or lives elsewhere."""
        self._owners = Owners(share)
        self._level = Level(0, 0)
        self._stoppers = Group()
        self.unstoppable = 0

    @property
    def alive(self) -> int:
        """Users that live and were not asked to end."""
        return sum(user is not None and is_alive(user) for _, user in self._users)

    def move_to(self, level: Level) -> None:
        """Start users, or stop those started last, until ``level`` is there.

        Raises:
            BadInput: A ``LoadTestShape`` asks for a class that is not part of the run.
        """
        if level == self._level:
            return
        self._level = level
        while len(self._users) > level.users:
            self._stop_last()
        shares, have = self._shares(level), Counter(name for name, _ in self._users)
        # One by one, so that those who are stopped again, last ones first, leave the classes in their shares.
        while len(self._users) < level.users:
            wanted = allocate(len(self._users) + 1, *shares, have)
            name = next((name for name, count in wanted.items() if count > have[name]), None)
            if name is None:
                break
            have[name] += 1
            self._users.append((name, self._start(name) if self._owners.deal(name) else None))

    def stop_all(self) -> None:
        """Ask every user to end, wait for running requests, and kill what then still runs."""
        while self._users:
            self._stop_last()
        self._stoppers.join()
        self._context.end_helpers(self._stop_timeout_s)

    def kill_all(self) -> None:
        """End every user now, whatever it is waiting for."""
        self._stoppers.kill(timeout=KILL_PATIENCE_S)
        self._runner.user_greenlets.kill(timeout=KILL_PATIENCE_S)
        self._context.end_helpers(0.0)

    def _shares(self, level: Level) -> tuple[dict[str, float], dict[str, int]]:
        allowed = level.names_among(self._classes)
        if allowed is None:
            return self._weights, self._fixed
        return (
            {name: weight for name, weight in self._weights.items() if name in allowed},
            {name: count for name, count in self._fixed.items() if name in allowed},
        )

    def _start(self, name: str) -> User | None:
        try:
            user = self._classes[name](self._runner.environment)
        except Exception as error:  # noqa: BLE001 - recorded, and a reason against the run
            self._context.recorder.user_deaths.add(name, error)
            return None
        user.start(self._runner.user_greenlets)
        return user

    def _stop_last(self) -> None:
        _, user = self._users.pop()
        self._owners.take_back()
        if user is not None:
            self._context.stopping.add(user)
            self._stoppers.spawn(self._end, user)

    def _end(self, user: User) -> None:
        with gevent.Timeout(self._stop_timeout_s, False):
            _ask_to_end(user)
            user.greenlet.join()
        if is_alive(user):
            user.greenlet.kill(block=False)
            user.greenlet.join(timeout=KILL_PATIENCE_S)
        if is_alive(user):
            self.unstoppable += 1


def _ask_to_end(user: User) -> None:
    """Have a user end: at once if it waits between two tasks, else when its task is over.

    ``User.stop`` of Locust kills a waiting user but leaves its state as it is. A user whose wait is over in the same
    turn of the event loop would then begin a request before it is killed, and the request would look like a hung one.
    """
    is_idle = user._state in {None, LOCUST_STATE_WAITING}  # noqa: SLF001 - Locust has no other way to tell
    user._state = LOCUST_STATE_STOPPING  # noqa: SLF001 - nor to ask
    if is_idle:
        user.greenlet.kill(block=False)
