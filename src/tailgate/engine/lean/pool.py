"""The connections of one user."""

from __future__ import annotations

from math import inf

from tailgate.engine.lean.alarm import Alarm
from tailgate.engine.lean.answers import Answer, AnswerReader
from tailgate.engine.lean.connection import Connection
from tailgate.engine.lean.errors import RequestError
from tailgate.engine.lean.settings import ClientSettings
from tailgate.engine.lean.tls import TlsConnection, make_context
from tailgate.engine.lean.urls import Origin

_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})
"""Methods that a server may be asked twice, RFC 9110, section 9.2.2."""


class Pool:
    """Connections that wait for the next request, and a new one for each request that finds none."""

    def __init__(self, settings: ClientSettings) -> None:
        self._settings = settings
        self._idle: dict[Origin, list[Connection]] = {}
        self._is_closed = False

    def exchange(self, origin: Origin, method: str, request: bytes, alarm: Alarm) -> Answer:
        """Send a request and return its answer.

        A kept connection may have ended before the server took the request, which is nobody's fault. Such a request
        is sent once more, on a new connection, if it is idempotent or nothing of it was sent.

        Raises:
            RequestError: There was no usable answer.
            OSError: The same, in the words of the system or of TLS.
        """
        is_idempotent, is_head = method in _IDEMPOTENT, method == "HEAD"
        silence_s = self._settings.network_timeout_s
        connection = self._take(origin, is_retried=is_idempotent)
        if connection is not None:
            try:
                answer = connection.exchange(request, alarm, silence_s=silence_s, is_head=is_head)
            except (RequestError, OSError):
                if not connection.is_stale or (connection.has_sent and not is_idempotent):
                    raise
            else:
                self._keep(origin, connection)
                return answer
        connection = self._connect(origin, alarm)
        answer = connection.exchange(request, alarm, silence_s=silence_s, is_head=is_head)
        self._keep(origin, connection)
        return answer

    def close(self) -> None:
        """Close all connections that wait, and from now on each after its request."""
        self._is_closed = True
        for idle in self._idle.values():
            while idle:
                idle.pop().close()

    def _take(self, origin: Origin, *, is_retried: bool) -> Connection | None:
        """Return a kept connection that has not ended, as far as can be seen; the one that was used last.

        For a request that is sent again if need be, that costs a look at the system only after a while.
        """
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            if (is_retried and connection.is_quiet()) or connection.is_alive():
                return connection
            connection.close()
        return None

    def _keep(self, origin: Origin, connection: Connection) -> None:
        if connection.is_reusable and not self._is_closed:
            self._idle.setdefault(origin, []).append(connection)
        else:
            connection.close()

    def _connect(self, origin: Origin, alarm: Alarm) -> Connection:
        settings = self._settings
        reader = AnswerReader(settings.max_head_bytes, settings.max_answer_bytes)
        alarm.allow(settings.connection_timeout_s, "no connection")
        connection: Connection
        if origin.scheme == "https":
            context = make_context(settings.ssl_context_factory, is_insecure=settings.is_insecure)
            connection = TlsConnection(origin.host, origin.port, reader, context)
        else:
            connection = Connection(origin.host, origin.port, reader)
        alarm.allow(inf, "")
        return connection
