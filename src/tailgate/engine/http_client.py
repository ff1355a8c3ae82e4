"""Make the client of an ``HttpUser`` tell all, in worker processes, where gevent has patched its sockets."""

from __future__ import annotations

from typing import Any

from locust.clients import HttpSession, ResponseContextManager
from requests import RequestException, Response

from tailgate.engine.client import Deadlines, RequestTimeout, follow
from tailgate.engine.context import RunContext
from tailgate.engine.tracking import RequestTracker


class _Session(HttpSession):
    """Locust's session, but a request that takes too long is a failed one."""

    def _send_request_safe_mode(self, method: Any, url: Any, **kwargs: Any) -> Response:
        try:
            return super()._send_request_safe_mode(method, url, **kwargs)
        except RequestTimeout as error:
            return ResponseContextManager(RequestException(str(error)))


def track_http(session: HttpSession, context: RunContext) -> None:
    """Give every request of a session a deadline, and record those that never come to an end."""
    session.__class__ = _Session
    tracker = RequestTracker(context, session.user, lambda name: name in session.headers)
    deadlines = Deadlines(context.request_timeout_s)
    follow(session, tracker, deadlines)
    if session.user is not None:
        context.closing[session.user] += [session.close, deadlines.close]
