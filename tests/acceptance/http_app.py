"""An ASGI application whose answers show how differently servers send the same thing."""

from __future__ import annotations

import gzip
import json
import zlib

import brotli

TEXT = b"Some text, long enough to be worth it. " * 50
ENCODED = {"gzip": gzip.compress(TEXT, mtime=0), "deflate": zlib.compress(TEXT), "br": brotli.compress(TEXT)}


async def app(scope, receive, send) -> None:
    """Answer by the first part of the path."""
    if scope["type"] != "http":
        return
    body = await _read(receive)
    name, _, rest = scope["path"].strip("/").partition("/")
    status, headers, answer = _answer(name, rest, scope, body)
    pairs = [(key.encode(), value.encode()) for key, value in headers]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    pieces = [answer] if name != "chunks" else [answer[at : at + 100] for at in range(0, len(answer), 100)]
    for piece in pieces:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body"})


async def _read(receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


def _answer(name: str, rest: str, scope, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
    text = ("content-type", "text/plain; charset=utf-8")
    match name:
        case "status":
            answer = int(rest), [("x-status", rest)], b"" if rest in {"204", "304"} else b"status"
        case "encoded":
            answer = 200, [("content-encoding", rest), text], ENCODED[rest]
        case "redirect":
            status, _, place = rest.partition("/")
            answer = int(status), [("location", f"/{place}")], b"moved"
        case "cookies":
            answer = 200, [("set-cookie", "a=1; Path=/"), ("set-cookie", "b=2; Path=/nowhere")], b"set"
        case "chunks":
            answer = 200, [text], TEXT
        case "length":
            answer = 200, _length(TEXT), TEXT
        case "big":
            answer = 200, [("content-length", rest)], b"x" * int(rest)
        case _:
            answer = _echo(scope, body)
    return answer


def _echo(scope, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
    given = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
    own = {
        "host",
        "user-agent",
        "connection",
        "accept-encoding",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-request-id",
    }
    if not body:
        own.add("content-type")  # httpx keeps it where a redirect has dropped the body.
    shown = {
        "method": scope["method"],
        "path": scope["path"],
        "query": scope["query_string"].decode(),
        "headers": {name: value for name, value in sorted(given.items()) if name not in own},
        "body": body.decode("latin-1")[:1000],
        "length": len(body),
    }
    answer = json.dumps(shown).encode()
    return 200, [("content-type", "application/json"), *_length(answer)], answer


def _length(answer: bytes) -> list[tuple[str, str]]:
    return [("content-length", str(len(answer)))]
