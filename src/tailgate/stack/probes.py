"""Ready probes: one attempt each to get a real answer from a service."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from tailgate.errors import BadInput


@dataclass(frozen=True, slots=True)
class Probe:
    """A question that only a ready service answers."""

    url: str
    """What is asked, for messages."""
    attempt: Callable[[float], None]
    """Ask once, for so many seconds at most; raises whatever went wrong."""


def http_answers(url: str, *, status: int = 200) -> Probe:
    """Make a probe that wants ``GET url`` to be answered with ``status``.

    Raises:
        BadInput: The URL has no scheme ``http`` or ``https``, or no host.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:  # a port that is not a number, half an IPv6 address
        host = None
    if host is None or parts.scheme not in {"http", "https"}:
        raise BadInput([f"{url!r} is not the URL of a service, wanted one such as http://127.0.0.1:8000"])
    connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def attempt(timeout_s: float) -> None:
        connection = connect(host, port, timeout=timeout_s)
        try:
            connection.request("GET", target, headers={"Connection": "close"})
            answered = connection.getresponse().status
        finally:
            connection.close()
        if answered != status:
            raise ConnectionError(f"answered {answered}, wanted {status}")

    return Probe(f"GET {url}", attempt)


def tcp_accepts(host: str, port: int) -> Probe:
    """Make a probe that wants a TCP connection to be accepted; an answer proves more, prefer one."""

    def attempt(timeout_s: float) -> None:
        socket.create_connection((host, port), timeout=timeout_s).close()

    return Probe(f"tcp://{host}:{port}", attempt)


def postgres_answers(host: str, port: int, *, user: str, password: str, database: str) -> Probe:
    """Make a probe that wants PostgreSQL to let us in and say that it is ready for a query.

    Speaks just enough of the protocol (version 3.0) for password authentication, to need no driver.

    Source: https://www.postgresql.org/docs/current/protocol-flow.html
    """

    def message(kind: bytes, body: bytes) -> bytes:
        return kind + (len(body) + 4).to_bytes(4, "big") + body

    startup = message(b"", b"\0\3\0\0" + f"user\0{user}\0database\0{database}\0\0".encode())

    def attempt(timeout_s: float) -> None:
        with (
            socket.create_connection((host, port), timeout=timeout_s) as connection,
            connection.makefile("rb") as answer,
        ):
            connection.sendall(startup)
            while head := answer.read(5):
                kind, body = head[:1], answer.read(int.from_bytes(head[1:], "big") - 4)
                if kind == b"R" and body == b"\0\0\0\3":
                    connection.sendall(message(b"p", password.encode() + b"\0"))
                elif kind == b"E":
                    fields = {field[:1]: field[1:].decode(errors="replace") for field in body.split(b"\0") if field}
                    raise ConnectionError(f"{fields.get(b'C', '')} {fields.get(b'M', '')}")
                elif kind == b"Z":
                    connection.sendall(message(b"X", b""))
                    return
            raise ConnectionError("closed the connection without an answer")

    return Probe(f"postgresql://{host}:{port}/{database}", attempt)
