"""A server that knows how long each of its answers took: ``python -m benchmarks.scripted PORT MEDIAN_MS``.

Any path is answered after the next delay of a fixed script, ``/at_once`` without one, and ``/.tailgate/took`` with the
times that all answers have taken since it was asked last. The time of an answer begins when the system received its
request, which Linux notes itself, and ends when the answer was given to the system: what this server was late by is
part of it.
"""

from __future__ import annotations

import heapq
import itertools
import json
import math
import random
import select
import socket
import struct
import sys
import time

AT_ONCE = "/at_once"
TOOK = "/.tailgate/took"
_SPREAD = 0.5
"""Of the delays' logarithms: the p99 is 3.2 times the median."""
_SEED = 7
_STAMP = getattr(socket, "SO_TIMESTAMPNS", 35)  # Python 3.14 names it; the number is Linux's.
_TIMESPEC = struct.Struct("qq")


class Scripted:
    """All connections, and the answers that are due."""

    def __init__(self, port: int, median_ms: float) -> None:
        self._listener = socket.create_server(("127.0.0.1", port), backlog=1024)
        self._listener.setsockopt(socket.SOL_SOCKET, _STAMP, 1)  # connections inherit it
        self._connections: set[socket.socket] = set()
        draw = random.Random(_SEED)
        self._delays_ns = (1e6 * draw.lognormvariate(math.log(median_ms), _SPREAD) for _ in itertools.count())
        self._due: list[tuple[int, int, int, socket.socket]] = []
        self._number = itertools.count()
        self._took_ms: list[float] = []

    def serve(self) -> None:
        """Answer for ever."""
        while True:
            wait_s = max(0.0, (self._due[0][0] - time.time_ns()) / 1e9) if self._due else None
            # Unlike epoll, select waits for less than a millisecond.
            readable, _, _ = select.select([self._listener, *self._connections], (), (), wait_s)
            for connection in readable:
                if connection is self._listener:
                    self._connections.add(self._listener.accept()[0])
                else:
                    self._take(connection)
            while self._due and self._due[0][0] <= time.time_ns():
                _, _, arrived_ns, connection = heapq.heappop(self._due)
                self._answer(connection, arrived_ns)

    def _take(self, connection: socket.socket) -> None:
        """Read a request, which comes in one piece since nobody sends a body or the next one early."""
        try:
            data, notes, _, _ = connection.recvmsg(65536, socket.CMSG_SPACE(_TIMESPEC.size))
        except ConnectionError:
            data = b""
        if not data:
            self._connections.discard(connection)
            connection.close()
            return
        path = data.split(b" ", 2)[1].decode()
        if path == TOOK:
            took_ms, self._took_ms = self._took_ms, []
            connection.sendall(_answer(json.dumps(took_ms).encode()))
            return
        seconds, ns = _TIMESPEC.unpack(notes[0][2])
        arrived_ns = 1_000_000_000 * seconds + ns
        delay_ns = 0.0 if path == AT_ONCE else next(self._delays_ns)
        heapq.heappush(self._due, (arrived_ns + int(delay_ns), next(self._number), arrived_ns, connection))

    def _answer(self, connection: socket.socket, arrived_ns: int) -> None:
        try:
            connection.sendall(_ANSWER)
        except OSError:  # Whoever asked is gone.
            return
        self._took_ms.append((time.time_ns() - arrived_ns) / 1e6)


def _answer(body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


_ANSWER = _answer(b'{"data": [{"productID": 1, "name": "Laptop", "price": 999.99, "stock": 42}]}')


if __name__ == "__main__":
    Scripted(int(sys.argv[1]), float(sys.argv[2])).serve()
