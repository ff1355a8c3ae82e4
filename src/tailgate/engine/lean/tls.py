"""A connection that is encrypted, by the standard library's TLS."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from ssl import MemoryBIO, SSLContext, SSLWantReadError

from tailgate.engine.lean.answers import AnswerReader
from tailgate.engine.lean.connection import Connection

_RECORD_BYTES = 1 << 14


@lru_cache(maxsize=64)
def make_context(factory: Callable[[], SSLContext] | None, *, is_insecure: bool) -> SSLContext:
    """Return the context that all users of a class share: to read the system's authorities takes 20 ms.

    Args:
        factory: Makes a context of the user's own, such as one with another authority or a certificate of its own.
        is_insecure: Without a factory: trust every certificate.
    """
    if factory is not None:
        return factory()
    context = ssl.create_default_context()
    if is_insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class TlsConnection(Connection):
    """TLS between the socket and the HTTP of a `Connection`."""

    def __init__(self, host: str, port: int, reader: AnswerReader, context: SSLContext) -> None:
        super().__init__(host, port, reader)
        self._incoming, self._outgoing = MemoryBIO(), MemoryBIO()
        try:
            self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
            self._shake_hands()
        except BaseException:
            self.close()
            raise

    def is_quiet(self) -> bool:
        """Never tell so: the loop does not see what was received and is not decrypted yet."""
        return False

    def _shake_hands(self) -> None:
        while True:
            try:
                self._tls.do_handshake()
            except SSLWantReadError:
                self._send_pending()
                self._wait()
                with suppress(BlockingIOError):
                    self._take_encrypted()
            else:
                self._send_pending()
                return

    def _receive(self) -> bytes | memoryview:
        while True:  # First look at what came in before, then wait: an endless answer must not keep the loop.
            try:
                return self._tls.read(_RECORD_BYTES)
            except SSLWantReadError:
                self._send_pending()
                self._wait()
                with suppress(BlockingIOError):
                    self._take_encrypted()

    def _receive_now(self) -> bytes | memoryview:
        while True:
            try:
                return self._tls.read(_RECORD_BYTES)
            except SSLWantReadError:
                self._take_encrypted()

    def _take_encrypted(self) -> None:
        if data := super()._receive_now():
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def _send(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self._tls.write(rest) :]
        super()._send(self._outgoing.read())

    def _send_pending(self) -> None:
        """Send what TLS itself has to say; it is short, and nothing else is under way."""
        if pending := self._outgoing.read():
            self._socket.send(pending)
