"""Locust's web interface, asked as its page asks."""

from __future__ import annotations

import json
import socket
from typing import Any
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

_DIRECT = build_opener(ProxyHandler({}))


def free_port() -> int:
    """Return a port that nobody uses; Locust has no way to say which one it was given."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class WebUi:
    """The web interface at a base URL."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str) -> Any:
        with _DIRECT.open(f"{self.url}/{path}", timeout=10) as answer:
            text = answer.read().decode()
        return json.loads(text) if "json" in answer.headers["Content-Type"] else text

    def post(self, path: str, **form: object) -> Any:
        order = Request(f"{self.url}/{path}", data=urlencode(form).encode(), method="POST")
        with _DIRECT.open(order, timeout=60) as answer:
            return json.load(answer)

    def requests(self) -> dict[str, int]:
        """Return how many requests Locust counts, by name, none of which may have failed."""
        stats = self.get("stats/requests")["stats"]
        assert sum(row["num_failures"] for row in stats) == 0
        return {row["name"]: row["num_requests"] for row in stats}

    def counters(self) -> dict[str, int]:
        """Return the custom statistics."""
        (table,) = self.get("stats/requests")["extended_stats"]
        return {row["name"]: row["count"] for row in table["data"]}
