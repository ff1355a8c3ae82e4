"""What the users of one run share."""

from __future__ import annotations

from dataclasses import dataclass, field
from weakref import WeakSet

from gevent import Greenlet
from locust import User

from tailgate.counters import Counters
from tailgate.engine.recorder import Recorder


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
