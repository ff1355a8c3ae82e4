"""Tell with each answer how long it took here, and how much of that was spent waiting for the database."""

from __future__ import annotations

import time
from contextvars import ContextVar

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_WAITS_S: ContextVar[list[float]] = ContextVar("_WAITS_S")
"""What the request that is being handled has waited for the database so far."""


def add_database_time(seconds: float) -> None:
    """Count a time as the database's share of the request that is being handled, if there is one."""
    waits_s = _WAITS_S.get(None)
    if waits_s is not None:
        waits_s.append(seconds)


class ServerTiming:
    """ASGI middleware that answers with ``Server-Timing: app;dur=12.345, db;dur=3.210``, in milliseconds.

    ``app`` ends where the answer begins to be sent; ``db`` is what ``add_database_time`` was told.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began_s = time.perf_counter()
        waits_s: list[float] = []
        _WAITS_S.set(waits_s)  # uvicorn handles each request in a task, hence in a context, of its own

        async def send_timed(message: Message) -> None:
            if message["type"] == "http.response.start":
                app_ms, database_ms = 1000 * (time.perf_counter() - began_s), 1000 * sum(waits_s)
                told = f"app;dur={app_ms:.3f}, db;dur={database_ms:.3f}"
                message["headers"] = [*message.get("headers", ()), (b"server-timing", told.encode("ascii"))]
            await send(message)

        await self._app(scope, receive, send_timed)
