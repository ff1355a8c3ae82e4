"""What the users of one run share."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from weakref import WeakSet

import gevent
from gevent import Greenlet
from locust import User

from tailgate.counters import Counters
from tailgate.engine.recorder import Recorder

KILL_PATIENCE_S = 2.0
"""How long something that was killed may take to end."""


@dataclass(slots=True)
class RunContext:
    """What the users of one run share."""

    recorder: Recorder
    counters: Counters
    host: str
    request_timeout_s: float
    stopping: set[User] = field(default_factory=set)
    """Users that were asked to end; any other that ends has died."""
    helpers: WeakSet[Greenlet] = field(default_factory=WeakSet)
    """Greenlets other than a user's own that sent requests with its client; they end with the run."""
    closing: defaultdict[User, list[Callable[[], None]]] = field(default_factory=lambda: defaultdict(list))
    """What closes each user's clients; left to the garbage collector, their sockets would be reported as unclosed."""

    def end_helpers(self, timeout_s: float) -> None:
        """Wait for the helpers, and kill those that need longer."""
        helpers = list(self.helpers)
        gevent.joinall(helpers, timeout=timeout_s)
        gevent.killall(helpers, timeout=KILL_PATIENCE_S)

    def close_sessions_of(self, user: User) -> None:
        """Close the connections of a user that ended, except those that it shares with others."""
        if getattr(user, "client_pool", None) is None:
            for close in self.closing[user]:
                close()

    def close_all_sessions(self) -> None:
        """Close the connections of all users, shared ones too."""
        for close in [close for several in self.closing.values() for close in several]:
            close()
