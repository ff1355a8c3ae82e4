"""One `LeanHttpUser` without a load, its events noted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tailgate import LeanHttpUser
from tests.acceptance.single_user import single_user


@contextmanager
def lean_client(url: str, **attributes: Any) -> Iterator[Any]:
    """Yield the client of a user; ``client.events`` are those of its requests, as they would be recorded."""
    user_class = type("Lean", (LeanHttpUser,), {"abstract": True, **attributes})
    with single_user(user_class, url) as user:
        user.client.events = []
        user.environment.events.request.add_listener(lambda **event: user.client.events.append(event))
        yield user.client
