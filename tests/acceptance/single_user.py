"""One user of a load test without the load: its client as in a run, its samples noted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from locust import User
from locust.env import Environment
from locust.event import Events

from tailgate import Counters
from tailgate.engine.context import RunContext
from tailgate.engine.recorder import Recorder
from tailgate.engine.users import make_run_class


@contextmanager
def single_user(user_class: type[User], host: str, environment: Environment | None = None) -> Iterator[Any]:
    """Make a user whose methods can be called; ``samples`` are pairs of request and error, empty for a success."""
    context = RunContext(Recorder(), Counters(), host, request_timeout_s=5)
    own_class = make_run_class(user_class, frozenset(), context)
    user: Any = own_class(environment or Environment(events=Events(), user_classes=[own_class]))
    user.samples = []

    def note(request_type: str, name: str, exception: object, **_: object) -> None:
        user.samples.append((f"{request_type} {name}", str(exception or "")))

    user.environment.events.request.add_listener(note)
    try:
        yield user
    finally:
        context.close_all_sessions()
