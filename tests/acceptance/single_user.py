"""One user of a load test without the load: its client as in a run, its samples noted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from locust import FastHttpUser
from locust.env import Environment
from locust.event import Events

from tailgate import Counters
from tailgate.engine.client import track
from tailgate.engine.context import RunContext
from tailgate.engine.recorder import Recorder


@contextmanager
def single_user(user_class: type[FastHttpUser], host: str, environment: Environment | None = None) -> Iterator[Any]:
    """Make a user whose methods can be called; ``samples`` are pairs of request and error, empty for a success."""
    own_class = type(user_class.__name__, (user_class,), {"host": host, "counters": Counters()})
    user: Any = own_class(environment or Environment(events=Events(), user_classes=[own_class]))
    track(user.client, RunContext(Recorder(), user.counters, host, request_timeout_s=5))
    user.samples = []

    def note(request_type: str, name: str, exception: object, **_: object) -> None:
        user.samples.append((f"{request_type} {name}", str(exception or "")))

    user.environment.events.request.add_listener(note)
    try:
        yield user
    finally:
        user.client.client.close()
