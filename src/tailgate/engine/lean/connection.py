"""One connection to a server: a plain socket that gevent's loop watches as long as it is open."""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from time import perf_counter
from typing import Any

from gevent import get_hub, getcurrent, monkey
from gevent import socket as gevent_socket

from tailgate.engine.lean.alarm import Alarm
from tailgate.engine.lean.answers import Answer, AnswerReader
from tailgate.engine.lean.errors import ConnectionClosed, InvalidUrl

_READ, _WRITE = 1, 2
_BUFFER_BYTES = 1 << 16
_STATE, _UNACKED = 0, slice(24, 28)
"""Where ``struct tcp_info`` of linux/tcp.h has the state, and how many packets the other side has not received."""
_CLOSE_WAIT = 8
"""The state in which the other side has ended the connection in order."""
_IDLE_S = 1.0
"""From then on a reset may come from something between here and the server that has forgotten the connection."""
_FRESH_S = 0.01
"""How long a server has just answered."""

_NOT_SENT = (BlockingIOError, BrokenPipeError, ConnectionResetError)
"""Whether the socket is full or the server has left shows when it is read: so do a server's last words."""
_ENDINGS = (ConnectionClosed, ConnectionError, ssl.SSLEOFError)
"""How a connection shows that it has ended."""

_plain_socket: Any = monkey.get_original("socket", "socket")
_of_this_thread: Any = monkey.get_original("threading", "local")()


class Connection:
    """A connection that carries one request at a time.

    Its watcher runs from one request to the next, since to start and stop it for each answer would take two calls of
    the system. It is stopped only by what comes in while no request is under way.
    """

    def __init__(self, host: str, port: int, reader: AnswerReader) -> None:
        self._socket = _connect(host, port)
        self._reader = reader
        self._buffer = _buffer()
        self._hub = get_hub()
        self._watcher = self._hub.loop.io(self._socket.fileno(), _READ, ref=False)
        self._watcher.start(self._wake)
        self._waiter: Any = None
        self._sent_bytes = 0
        self._idle_since_s = 0.0
        self._is_new = True
        self._is_abandoned = False
        self.is_stale = False
        """Whether the last request failed because the connection had ended before the server took the request."""

    @property
    def is_reusable(self) -> bool:
        """Whether another request may follow."""
        return self._reader.is_reusable and not self._is_abandoned

    def is_quiet(self) -> bool:
        """Tell, without asking the system, that nothing was heard of a server that has just answered.

        It may have ended the connection all the same since the loop has turned last.
        """
        return self._watcher.active and perf_counter() - self._idle_since_s < _FRESH_S

    def is_alive(self) -> bool:
        """Look whether the server has neither ended an idle connection nor said anything unasked."""
        try:
            self._receive_now()
        except BlockingIOError:
            if not self._watcher.active:
                self._watcher.start(self._wake)
            return True
        except OSError:
            pass
        return False

    def exchange(self, request: bytes, alarm: Alarm, *, silence_s: float, is_head: bool) -> Answer:
        """Send a request and wait for its answer; on any error the connection is closed, and ``is_stale`` is set.

        Raises:
            RequestError: There was no usable answer.
            OSError: The same, in the words of the system.
        """
        reader = self._reader
        reader.expect(is_to_head=is_head)
        self._sent_bytes = 0
        is_silence_limited = alarm.is_longer_than(silence_s)
        try:
            self._send(request)
            while reader.answer is None:
                if is_silence_limited:
                    alarm.allow(silence_s, "no byte from the server")
                self._take(self._receive())
        except BaseException as error:
            self.is_stale = self._was_stale(error)
            self.close()
            raise
        self._is_new = False
        self._idle_since_s = perf_counter()
        return reader.answer

    def close(self) -> None:
        """End the connection."""
        self._watcher.close()
        self._socket.close()

    def _receive(self) -> bytes | memoryview:
        """Wait for bytes and return them; none at the end."""
        while True:
            self._wait()
            try:
                return self._receive_now()
            except BlockingIOError:
                continue

    def _receive_now(self) -> bytes | memoryview:
        """Return the bytes that are there; none at the end.

        Raises:
            BlockingIOError: There are none yet.
        """
        return self._buffer[: self._socket.recv_into(self._buffer)]

    def _send(self, data: bytes) -> None:
        try:  # noqa: SIM105 - suppress() would cost every request half a microsecond
            self._sent_bytes = self._socket.send(data)
        except _NOT_SENT:
            pass
        if self._sent_bytes < len(data):
            self._send_rest(memoryview(data)[self._sent_bytes :])

    def _send_rest(self, rest: memoryview) -> None:
        """Send what the socket did not take at once, unless the server answers or leaves before it has it all."""
        watcher = self._hub.loop.io(self._socket.fileno(), _WRITE)
        watcher.start(self._wake)
        try:
            while rest and self._reader.answer is None:
                self._wait()
                rest = self._send_some(rest)
                with suppress(BlockingIOError):
                    self._take(self._receive_now())
        finally:
            watcher.close()
        self._is_abandoned = bool(rest)

    def _send_some(self, rest: memoryview) -> memoryview:
        try:
            sent = self._socket.send(rest)
        except _NOT_SENT:
            return rest
        self._sent_bytes += sent
        return rest[sent:]

    def _take(self, data: bytes | memoryview) -> None:
        if data:
            self._reader.feed(data)
        else:
            self._reader.finish()

    def _wait(self) -> None:
        """Wait until the socket can be read, or be written to where that is watched as well."""
        self._waiter = getcurrent()
        try:
            self._hub.switch()
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None:
            self._waiter.switch()
        else:
            self._watcher.stop()  # Or it would call again and again; `is_alive` will look at what there is.

    def _was_stale(self, error: BaseException) -> bool:
        """Tell whether ``error`` is that of a kept connection which was no more, rather than the server's answer."""
        if self._is_new or self._reader.received_bytes or not isinstance(error, _ENDINGS):
            return False
        if not self._sent_bytes:
            return True
        if isinstance(error, ConnectionResetError):
            return perf_counter() - self._idle_since_s > _IDLE_S
        return not self._was_request_taken()

    @property
    def has_sent(self) -> bool:
        """Whether a byte of the last request was sent."""
        return self._sent_bytes > 0

    def _was_request_taken(self) -> bool:
        """Tell whether the server received the request and then ended the connection; False if it ended it before."""
        info = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _UNACKED.stop)
        return bool(info[_STATE] == _CLOSE_WAIT and not any(info[_UNACKED]))


def _buffer() -> memoryview:
    """Return what all connections of this thread receive into: it is parsed before another one can receive."""
    try:
        buffer: memoryview = _of_this_thread.buffer
    except AttributeError:
        buffer = _of_this_thread.buffer = memoryview(bytearray(_BUFFER_BYTES))
    return buffer


def _connect(host: str, port: int) -> Any:
    """Connect to the first address of ``host`` that lets itself be connected to."""
    try:
        connecting = gevent_socket.create_connection((host, port))
    except UnicodeError as error:
        raise InvalidUrl(f"{host!r} is no name of a host: {error}") from error
    connected = _plain_socket(fileno=connecting.detach())
    connected.setblocking(False)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connected
