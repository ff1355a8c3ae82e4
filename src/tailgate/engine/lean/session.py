"""The client of a user: requests as Locust's users write them, each told to Locust's ``request`` event."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter
from typing import Any, Protocol

from gevent import GreenletExit, getcurrent
from locust import User
from locust.event import EventHook

from tailgate.engine.lean.alarm import Alarm
from tailgate.engine.lean.cookies import CookieJar
from tailgate.engine.lean.errors import RequestError
from tailgate.engine.lean.requests import WITH_BODY, basic_auth, check_headers, make_body
from tailgate.engine.lean.response import LeanResponse
from tailgate.engine.lean.settings import ClientSettings
from tailgate.engine.lean.transport import Call, Transport
from tailgate.engine.lean.urls import add_params

_REFUSED = {
    "files": "encode the form yourself and pass it as data=, with the header Content-Type",
    "stream": "a body is always read to its end, which is when its request is over",
    "proxies": "requests go straight to the server, and proxies of the environment are left alone",
    "verify": "set insecure or ssl_context_factory on the user's class",
    "cert": "set ssl_context_factory on the user's class",
}


class Tracker(Protocol):
    """Who is told of each request from its beginning, beside Locust's event at its end."""

    timeout_s: float
    """A request may not take longer."""
    is_marking: bool
    """Whether `mark` has something to add."""

    def begin(self) -> None:
        """Take note that the running greenlet begins a request."""
        ...  # pragma: no cover

    def mark(self, headers: dict[str, Any], context: dict[str, Any]) -> int | None:
        """Add headers to the request that began, and to its context; what it returns is given to `censor`."""
        ...  # pragma: no cover

    def censor(self, method: str, name: str, url: str, *, started: float, span_id: int | None) -> None:
        """Take note of a request whose greenlet was killed; no event tells of it."""
        ...  # pragma: no cover


class LeanSession:
    """Sends the requests of one user: ``get``, ``post``, ``put``, ``patch``, ``delete``, ``head``, ``options``."""

    def __init__(self, base_url: str, event: EventHook, user: User | None, settings: ClientSettings) -> None:
        self.user = user
        self.request_name: str | None = None
        """Name of all requests that are given none; see `rename_request`."""
        self.tracker: Tracker | None = None
        self._event = event
        self._timeout_s = settings.request_timeout_s
        self._transport = Transport(base_url, settings)
        self._alarms: list[Alarm] = []
        self._is_closed = False
        self._has_context = user is not None and type(user).context is not User.context

    @property
    def base_url(self) -> str:
        """Where paths are below."""
        return self._transport.base_url

    @property
    def cookies(self) -> CookieJar:
        """What the servers have set."""
        return self._transport.cookies

    def has_header(self, name: str) -> bool:
        """Tell whether a header, in small letters, is sent with every request."""
        return self._transport.heads.has(name)

    def close(self) -> None:
        """Close what is open; a request after that opens and closes a connection of its own."""
        self._is_closed = True
        self._transport.close()
        while self._alarms:
            self._alarms.pop().close()

    @contextmanager
    def rename_request(self, name: str) -> Iterator[None]:
        """Give the requests of a with block one name."""
        self.request_name = name
        try:
            yield
        finally:
            self.request_name = None

    def request(
        self,
        method: str,
        url: str,
        name: str | None = None,
        *,
        params: Any = None,
        data: Any = None,
        json: Any = None,
        headers: Mapping[str, Any] | None = None,
        auth: tuple[str | bytes, str | bytes] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = True,
        catch_response: bool = False,
        context: Mapping[str, Any] | None = None,
        **refused: Any,
    ) -> LeanResponse:
        """Send a request and wait for its answer; whatever goes wrong with it is recorded, and in the response.

        Args:
            method: Such as GET.
            url: A path below the user's host, or a complete URL.
            name: What to call the request in the results instead of ``url``.
            params: A mapping, pairs or a text to add to the query.
            data: Bytes, text, or a mapping or pairs, which are sent as a form.
            json: Sent as JSON where there is no ``data``.
            headers: Beside or instead of the defaults.
            auth: User and password, for HTTP's basic authentication.
            timeout: Seconds that all of it may take; ``request_timeout`` of the user's class if None. In a load test
                of tailgate its limit holds as well.
            allow_redirects: Whether to follow them; all together are then one request.
            catch_response: Return a response for a with block, in which ``success()`` or ``failure()`` decide.
            context: What the event is told beside what ``User.context()`` returns.
            refused: Options that only other clients have.

        Raises:
            TypeError: The URL or an option cannot be used; the text says what to do instead. Nothing was sent.
            ValueError: A header cannot be sent. Nothing was sent.
        """
        if refused:
            raise TypeError(_refusal(refused))
        sent = check_headers(headers) if headers else {}
        if auth is not None:
            sent["Authorization"] = basic_auth(*auth)
        is_alike = not sent and (self.tracker is None or not self.tracker.is_marking)
        body = make_body(data, json, sent) if data or json is not None else b""
        if body or method in WITH_BODY:
            sent["Content-Length"] = str(len(body))
        if params is not None:
            url = add_params(url, params)
        told: dict[str, Any] = dict(self.user.context()) if self._has_context and self.user is not None else {}
        if context:
            told |= context
        return self._perform(
            Call(method, url, sent, body, allow_redirects, is_alike),
            name or self.request_name or url,
            told,
            self._timeout_s if timeout is None else timeout,
            is_caught=catch_response,
        )

    def get(self, url: str, **options: Any) -> LeanResponse:
        """Send a GET request; `request` describes the options."""
        return self.request("GET", url, **options)

    def head(self, url: str, **options: Any) -> LeanResponse:
        """Send a HEAD request, as `get` does."""
        return self.request("HEAD", url, **options)

    def options(self, url: str, **options: Any) -> LeanResponse:
        """Send an OPTIONS request, as `get` does."""
        return self.request("OPTIONS", url, **options)

    def delete(self, url: str, **options: Any) -> LeanResponse:
        """Send a DELETE request, as `get` does."""
        return self.request("DELETE", url, **options)

    def post(self, url: str, data: Any = None, json: Any = None, **options: Any) -> LeanResponse:
        """Send a POST request, as `get` does."""
        return self.request("POST", url, data=data, json=json, **options)

    def put(self, url: str, data: Any = None, **options: Any) -> LeanResponse:
        """Send a PUT request, as `get` does."""
        return self.request("PUT", url, data=data, **options)

    def patch(self, url: str, data: Any = None, **options: Any) -> LeanResponse:
        """Send a PATCH request, as `get` does."""
        return self.request("PATCH", url, data=data, **options)

    def _perform(
        self, call: Call, name: str, context: dict[str, Any], seconds: float, *, is_caught: bool
    ) -> LeanResponse:
        """Send a request, which is counted as soon as it is certain that it has a URL."""
        url, tracker, span_id = self._transport.complete(call.url), self.tracker, None
        if tracker is not None:
            seconds = min(seconds, tracker.timeout_s)
            tracker.begin()
            if tracker.is_marking:
                span_id = tracker.mark(call.headers, context)
        started, began_s = time.time(), perf_counter()
        meta = {"request_type": call.method, "name": name, "context": context, "start_time": started, "url": url}
        try:
            response = self._fetch(call, seconds, began_s)
        except GreenletExit:
            if tracker is not None:
                tracker.censor(call.method, name, url, started=started, span_id=span_id)
            raise
        except BaseException as error:  # Such as a gevent.Timeout of the task: this is how the request ended.
            meta |= {"response_time": 1000 * (perf_counter() - began_s), "response_length": 0, "exception": error}
            self._event.fire(response=LeanResponse(url), **meta)
            raise
        meta["response_time"] = 1000 * response.took_s
        meta["response_length"] = len(response.content or b"")
        meta["exception"] = response.error
        if is_caught:
            response.await_verdict(self._event, meta)
        else:
            self._event.fire(response=response, **meta)
        return response

    def _fetch(self, call: Call, seconds: float, began_s: float) -> LeanResponse:
        """Send a request and return what came of it, be it an answer or not."""
        transport, alarm = self._transport, self._alarms.pop() if self._alarms else Alarm()
        alarm.start(getcurrent(), began_s, seconds)
        try:
            place, answer = transport.fetch(call, alarm)
            took_s = perf_counter() - began_s
            content = transport.decode(answer)
        except (RequestError, OSError) as error:
            return LeanResponse(transport.complete(call.url), error=error, took_s=perf_counter() - began_s)
        finally:
            alarm.stop()
            if self._is_closed:
                alarm.close()
            else:
                self._alarms.append(alarm)
        return LeanResponse(place, answer, content, took_s=took_s)


def _refusal(options: Mapping[str, Any]) -> str:
    """Say what to do instead of using options that this client has not."""
    advice = [f"{name}= is not supported: {_REFUSED.get(name, 'there is no such option')}" for name in options]
    return "; ".join(advice)
