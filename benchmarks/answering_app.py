"""An ASGI application that costs as little as one can: it takes what it is sent, and answers with the same JSON."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

_JSON = b'{"data": [{"productID": 1, "name": "Laptop", "price": 999.99, "stock": 42}]}'
_HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(_JSON))]
_START = {"type": "http.response.start", "status": 200, "headers": _HEADERS}
_BODY = {"type": "http.response.body", "body": _JSON}


async def app(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """Answer one request."""
    del scope
    while (await receive()).get("more_body"):
        pass
    await send(_START)
    await send(_BODY)
