"""A server that answers after a known time: ``python -m benchmarks.answering PORT``; ``GET /113`` takes 113 ms."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

ANSWER_MS = (1, 4, 8, 113, 1050)
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class _Answers(asyncio.Protocol):
    """One connection; a request ends with an empty line, and there is never a body."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._text = b""

    def data_received(self, data: bytes) -> None:
        self._text += data
        while b"\r\n\r\n" in self._text:
            head, _, self._text = self._text.partition(b"\r\n\r\n")
            path = head.split(b" ", 2)[1]
            delay_s = float(path[1:] or b"0") / 1000
            asyncio.get_running_loop().call_later(delay_s, self._transport.write, _ANSWER)


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Answers, "127.0.0.1", port, reuse_address=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
