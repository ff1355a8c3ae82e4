"""Counts of the requests that were answered, so that a client can compare them with its own."""

from __future__ import annotations

import os
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

UNCOUNTED_PATHS = frozenset({"/health", "/internal/requests"})
"""Asked by the harness, not by users."""


class RequestCounts:
    """How many requests this process has answered, by method and route template."""

    def __init__(self, instance: str) -> None:
        self.instance = instance
        self.started_at = datetime.now(UTC).isoformat()
        self.requests: Counter[str] = Counter()

    def as_json(self) -> dict[str, Any]:
        """Return the counts with what tells one process from another."""
        return {
            "instance": self.instance,
            "pid": os.getpid(),
            "started_at": self.started_at,
            "requests": dict(self.requests),
        }


class RequestCounter:
    """ASGI middleware that counts each request once and names the instance in ``X-Instance``.

    Counted is a request whose answer is complete, just before its last byte is handed to the server, so that who
    has read the answer finds it counted; or one that ended without an answer, because it was cancelled or raised.
    """

    def __init__(self, app: ASGIApp, *, counts: RequestCounts, routes: list[BaseRoute]) -> None:
        self._app = app
        self._requests = counts.requests
        self._routes = routes
        self._instance_header = (b"x-instance", counts.instance.encode("ascii"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_counted = scope["path"] in UNCOUNTED_PATHS

        async def send_counted(message: Message) -> None:
            nonlocal is_counted
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), self._instance_header]
            elif not is_counted and not message.get("more_body", False):
                is_counted = True
                self._requests[self._name(scope)] += 1
            await send(message)

        try:
            await self._app(scope, receive, send_counted)
        finally:
            if not is_counted:
                self._requests[self._name(scope)] += 1

    def _name(self, scope: Scope) -> str:
        # The router leaves the route in the scope, unless the request never got so far (an injected error).
        route = scope.get("route") or self._find_route(scope)
        return f"{scope['method']} {getattr(route, 'path', '(no route)')}"

    def _find_route(self, scope: Scope) -> BaseRoute | None:
        # As the router does: the first that fits, or else the first that fits but for the method.
        matches = [(route.matches(scope)[0], route) for route in self._routes]
        for wanted in (Match.FULL, Match.PARTIAL):
            for match, route in matches:
                if match is wanted:
                    return route
        return None
