"""A server that says, byte by byte, what a test tells it to, and keeps what it was sent."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import gevent
from gevent.pool import Pool
from gevent.server import StreamServer

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
FOR_EVER_S = 3600


@dataclass(frozen=True)
class Say:
    """What is said to one request: pieces, each in a packet of its own, and then what happens to the connection."""

    pieces: bytes | Sequence[bytes] = OK
    then: str = "keep"  # or close, reset, hang
    is_deaf: bool = False  # says it before it has read anything
    reads_after_s: float = 0.0


@dataclass
class ByteServer:
    url: str
    port: int
    requests: list[bytes] = field(default_factory=list)
    """Heads and bodies of all requests that were read to their end."""
    connections: int = 0

    @property
    def lines(self) -> list[str]:
        """The first line of each request, without the version."""
        return [request.split(b" HTTP/1.1\r\n")[0].decode() for request in self.requests]


@contextmanager
def say(*connections: Sequence[Say]) -> Iterator[ByteServer]:
    """Serve; each connection goes by its own list, the last of which holds for all that follow."""

    def serve(sock, address) -> None:
        served = connections[min(server.connections, len(connections) - 1)]
        server.connections += 1
        try:
            for line in served:
                if line.reads_after_s:
                    gevent.sleep(line.reads_after_s)
                if not line.is_deaf:
                    request = _read_request(sock)
                    if request is None:
                        return
                    server.requests.append(request)
                _speak(sock, line)
        except OSError:
            pass  # The client left first.

    streams = StreamServer(("127.0.0.1", 0), serve, spawn=Pool())
    streams.start()
    server = ByteServer(f"http://127.0.0.1:{streams.server_port}", streams.server_port)
    try:
        yield server
    finally:
        streams.stop(timeout=0)


def always(pieces: bytes | Sequence[bytes] = OK, then: str = "keep") -> list[Say]:
    return [Say(pieces, then)] * 1000


def answer(body: bytes = b"ok", status: str = "200 OK", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _speak(sock, line: Say) -> None:
    for piece in [line.pieces] if isinstance(line.pieces, bytes) else line.pieces:
        sock.sendall(piece)
        if not isinstance(line.pieces, bytes):
            gevent.sleep(0.001)  # in a packet of its own
    if line.then == "hang":
        gevent.sleep(FOR_EVER_S)
    if line.then == "reset":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if line.then != "keep":
        sock.close()


def _read_request(sock) -> bytes | None:
    data = b""
    while b"\r\n\r\n" not in data:
        if not (more := sock.recv(65536)):
            return None
        data += more
    head, _, begun = data.partition(b"\r\n\r\n")
    body = bytearray(begun)
    lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    while len(body) < (int(lengths[0]) if lengths else 0):
        if not (more := sock.recv(1 << 20)):
            return None
        body += more
    return head + b"\r\n\r\n" + body
