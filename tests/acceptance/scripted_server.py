"""An HTTP server that does exactly what the path of each request says, and counts what it received.

Run as a program it prints its ports as one line of JSON and serves until its standard input is closed.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
import sys
import time
from collections import Counter
from itertools import count

OK = b"ok"
DRIP_S = 0.05
HEAD_LIMIT = 1 << 20

received: Counter[str] = Counter()
"""Requests by "METHOD path"; the path as it was sent, query and all."""
_turns: dict[str, count] = {}


def _answer(body: bytes = OK, status: int = 200, **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Scripted", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _next_of(path: str, values: str) -> str:
    """Return the value whose turn it is: each request of a path takes the next one, over and over."""
    options = values.split(",")
    return options[next(_turns.setdefault(path, count())) % len(options)]


async def _drip(writer: asyncio.StreamWriter) -> None:
    """Begin an answer, then send a byte now and then, for ever."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(DRIP_S)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Have the connection end with a reset instead of an orderly close."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _forget() -> bytes:
    received.clear()
    _turns.clear()
    return _answer()


LAST_WORDS = {
    "garbage": b"\x00\x01this is not HTTP\r\n\r\n",
    "cut": b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n0123456789",
    "close": b"",
    "reset": b"",
}
"""What is sent before the connection is closed, by the first part of the path."""

ANSWERS = {
    "status": lambda path, rest: _answer(status=int(_next_of(path, rest))),  # /status/200,500
    "binary": lambda path, rest: _answer(b"\xff\xfe\xfa", int(rest)),  # /binary/500: a body that is no UTF-8
    "encoding": lambda path, rest: _answer(content_encoding=rest),  # /encoding/gzip: says so, but is not
    "big": lambda path, rest: _answer(b"x" * int(rest)),  # /big/10000000
    "redirect": lambda path, rest: _answer(b"", 302, location=f"/{rest}"),  # /redirect/delay/5
    "astray": lambda path, rest: _answer(b"", 302, location="http://[bad"),
    "received": lambda path, rest: _answer(json.dumps(received).encode()),
    "forget": lambda path, rest: _forget(),
}
"""Complete answers by the first part of the path; any other path is answered with itself."""


async def _behave(path: str, writer: asyncio.StreamWriter) -> bool:
    """Do what ``path`` says; return whether the connection stays open."""
    name, _, rest = path.strip("/").partition("/")
    if name == "hang":
        await asyncio.sleep(3600)
    if name == "drip":
        await _drip(writer)
    if name == "stall":  # /stall/500: for half a second nobody is answered
        time.sleep(float(rest) / 1000)  # noqa: ASYNC251 - to block is the point
    if name == "delay":  # /delay/50,200/x: answers after 50 ms, then after 200 ms, then after 50 ms again
        await asyncio.sleep(float(_next_of(path, rest.partition("/")[0])) / 1000)
    if name == "reset":
        _reset(writer)
    if name in LAST_WORDS:
        writer.write(LAST_WORDS[name])
    else:
        writer.write(ANSWERS[name](path, rest) if name in ANSWERS else _answer(path.encode()))
    await writer.drain()
    return name not in LAST_WORDS


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        is_open = True
        while is_open:
            first = await reader.readexactly(1)
            if not first.isalpha():  # Such as the beginning of a TLS handshake.
                writer.write(_answer(status=400))
                break
            head = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            method, path, _ = head.split(" ", 2)
            if not path.startswith(("/received", "/forget")):
                received[f"{method} {path}"] += 1
            if path.startswith("/deaf"):  # reads nothing more, so a large upload gets stuck
                await asyncio.sleep(3600)
            lengths = [line.split(":")[1] for line in head.lower().split("\r\n") if line.startswith("content-length:")]
            await reader.readexactly(int(lengths[0]) if lengths else 0)
            is_open = await _behave(path, writer)
    except (OSError, EOFError):
        pass  # The client went away, as clients do.
    finally:
        writer.close()


async def _main() -> None:
    ports = {}
    for host in ("127.0.0.1", "::1"):
        try:
            server = await asyncio.start_server(_serve, host, 0, limit=HEAD_LIMIT)
        except OSError:
            continue  # A machine without IPv6.
        ports[host] = server.sockets[0].getsockname()[1]
    print(json.dumps(ports), flush=True)  # noqa: T201 - how the parent learns them
    await asyncio.to_thread(sys.stdin.read)
    os._exit(0)  # Without ado about requests that hang.


if __name__ == "__main__":
    asyncio.run(_main())
