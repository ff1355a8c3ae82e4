"""Make the client of a ``FastHttpUser`` tell all: deadlines, no hidden retries, an outcome for every request."""

from __future__ import annotations

import time
from traceback import walk_tb
from typing import Any

from gevent import GreenletExit, get_hub, getcurrent
from geventhttpclient.client import HTTPClient
from geventhttpclient.connectionpool import ConnectionPool
from geventhttpclient.response import HTTPParseError
from geventhttpclient.useragent import ConnectionError as ClientError
from locust.contrib.fasthttp import FastHttpSession, FastResponse, LocustUserAgent

from tailgate.engine.context import RunContext
from tailgate.engine.tracking import RequestTracker

_NO_RETRIES = -1


class RequestTimeout(ClientError):
    """A request had no complete answer in time; recorded as that request's failure.

    Not a ``gevent.Timeout``: the client would take that as a reason to try again, and no ``except Exception`` in a
    task or a listener could stop it.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(None)
        self.seconds = seconds

    def __str__(self) -> str:
        return f"no complete answer within {self.seconds:g} s"


class Deadlines:
    """The deadlines of one session's requests.

    Their timers are used again and again: to make a ``gevent.Timeout`` costs more than to record the request.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._idle: list[Any] = []

    def start(self) -> Any:
        """Begin a deadline for the running greenlet and return its timer."""
        timer = self._idle.pop() if self._idle else get_hub().loop.timer(self._seconds, repeat=self._seconds)
        # Not start(): after stop() that goes on with what was left of the time before.
        timer.again(self._expire, getcurrent(), update=True)
        return timer

    def stop(self, timer: Any) -> None:
        """End a deadline, whether it has passed or not."""
        timer.stop()
        self._idle.append(timer)

    def close(self) -> None:
        """Free the timers that do not run."""
        while self._idle:
            self._idle.pop().close()

    def _expire(self, greenlet: Any) -> None:
        greenlet.throw(RequestTimeout(self._seconds))


class _Response(FastResponse):
    def _content(self) -> Any:
        try:
            return super()._content()
        except ValueError as error:  # An unknown content encoding, which Locust does not count as a failure.
            raise HTTPParseError(str(error)) from error


class _UserAgent(LocustUserAgent):
    """Locust's user agent, but every request is sent once and every unreadable answer is a failed request."""

    response_type = _Response
    deadlines: Deadlines

    def close(self) -> None:
        super().close()
        self.deadlines.close()

    def urlopen(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().urlopen(*args, **kwargs)
        except ValueError as error:  # Such as a redirect to no URL; Locust would take it for an error of the task.
            raise HTTPParseError(str(error)) from error

    def _urlopen(self, request: Any) -> Any:
        pool = self.clientpool.get_client(request.url_split)._connection_pool  # noqa: SLF001 - has no other door
        # A connection that the server closes without an answer is tried again up to eleven times for a GET: one
        # sample then stands for twelve requests, and a service that drops half of them never fails.
        pool.size = _NO_RETRIES
        try:
            return super()._urlopen(request)
        except (RequestTimeout, GreenletExit) as error:
            _release_half_sent(error, pool)
            raise

    @classmethod
    def _conversation_str(cls, url: str, resp: Any, payload: Any = None, encoding: str = "utf-8") -> str:
        """Read the body of an error answer; nobody reads the text, and no body needs to be UTF-8."""
        del url, payload, encoding
        _ = resp.content
        return ""


def track(session: FastHttpSession, context: RunContext) -> None:
    """Give every request of a session a deadline, and record those that never come to an end."""
    session.client.__class__ = _UserAgent
    deadlines = vars(session.client)["deadlines"] = Deadlines(context.request_timeout_s)
    defaults = session.client.default_headers
    follow(session, RequestTracker(context, session.user, lambda name: name in defaults), deadlines)


def follow(session: Any, tracker: RequestTracker, deadlines: Deadlines) -> None:
    """Have the requests of one of Locust's sessions begin and end by these."""
    send = session.request

    def request(method: str, url: str, name: str | None = None, **kwargs: Any) -> Any:
        tracker.begin()
        span_id = None
        if tracker.is_marking:
            headers, told = dict(kwargs.get("headers") or {}), dict(kwargs.get("context") or {})
            span_id = tracker.mark(headers, told)
            kwargs |= {"headers": headers, "context": told}
        started = time.time()
        timer = deadlines.start()
        try:
            return send(method, url, name=name, **kwargs)
        except GreenletExit:
            label, full_url = name or session.request_name or url, session._build_url(url)  # noqa: SLF001 - as it does
            tracker.censor(method, label, full_url, started=started, span_id=span_id)
            raise
        finally:
            deadlines.stop(timer)

    session.request = request


def _release_half_sent(error: BaseException, pool: ConnectionPool) -> None:
    """Close the connection of a request that was stopped while it was being sent; the client forgets it there."""
    for frame, _ in walk_tb(error.__traceback__):
        sock = frame.f_locals.get("sock")
        if frame.f_code is HTTPClient.request.__code__ and sock is not None and sock.fileno() >= 0:
            pool.release_socket(sock)
