"""Requests and answers of one user, with redirects and cookies; what they are to Locust is not known here."""

from __future__ import annotations

from functools import lru_cache
from math import inf
from typing import NamedTuple

from tailgate.engine.lean import redirects
from tailgate.engine.lean.alarm import Alarm
from tailgate.engine.lean.answers import Answer
from tailgate.engine.lean.cookies import CookieJar
from tailgate.engine.lean.decoding import decode
from tailgate.engine.lean.errors import RedirectError
from tailgate.engine.lean.pool import Pool
from tailgate.engine.lean.requests import Heads, Request, basic_auth
from tailgate.engine.lean.settings import ClientSettings
from tailgate.engine.lean.urls import Url, is_absolute, is_plain_target, parse_url, refusal

_MOST_REMEMBERED = 64
"""Requests for each user, which take less than a kilobyte each."""


class Call(NamedTuple):
    """A request as a task wants it."""

    method: str
    url: str
    """A path below the base URL, or a complete URL."""
    headers: dict[str, str]
    body: bytes
    is_following: bool
    """Whether redirects are followed."""
    is_alike: bool
    """Whether its headers follow from its body, so that others probably have the same."""


class Transport:
    """Sends the requests of one user to its base URL, and to wherever they lead."""

    def __init__(self, base_url: str, settings: ClientSettings) -> None:
        base = parse_url(base_url)
        self.base_url = str(base).rstrip("/")
        self.cookies = CookieJar()
        self.heads = Heads(settings.default_headers)
        self._origin = base.origin
        self._prefix = base.target.rstrip("/")
        self._at_home = dict(self.heads.for_one_server)
        """What the base URL's own server is told, unless the request says something else; as in `Heads`."""
        if base.credentials is not None:
            self._at_home.setdefault("authorization", _authorization(base.credentials))
        self._settings = settings
        self._pool = Pool(settings)
        self._alike_request = lru_cache(_MOST_REMEMBERED)(self._write_request)

    def close(self) -> None:
        """Close the connections that are open, and from now on each after its request."""
        self._pool.close()

    def complete(self, url: str) -> str:
        """Return the complete URL of what a task calls ``url``.

        Raises:
            TypeError: It is no text.
        """
        try:
            if url[:1] == "/":
                return self.base_url + url
            if is_absolute(url):
                return url
        except TypeError as error:
            raise refusal(url) from error
        return f"{self.base_url}/{url}"

    def fetch(self, call: Call, alarm: Alarm) -> tuple[Url, Answer]:
        """Send a request, follow its redirects, and return the last answer and where it came from.

        Raises:
            RequestError: There was no usable answer.
            OSError: The same, in the words of the system or of TLS.
        """
        request = self._request(call)
        for _ in range(1 + self._settings.max_redirects):
            answer = self._exchange(request, alarm)
            if answer.status not in redirects.STATUSES or not call.is_following:
                return request.url, answer
            location = answer.last.get(b"location")
            if location is None:
                return request.url, answer
            request = redirects.redirect(request, answer.status, _text_of(location))
            alarm.allow(inf, "")  # While this one is sent, the server is not silent but listens.
        raise RedirectError(f"redirected more than {self._settings.max_redirects} times, at last to {request.url}")

    def decode(self, answer: Answer) -> bytes:
        """Return the body of an answer as it was before it was encoded.

        Raises:
            RequestError: It cannot be decoded.
        """
        if b"content-encoding" not in answer.last:
            return answer.body
        encodings = [value for name, value in answer.headers if name.lower() == b"content-encoding"]
        return decode(answer.body, b",".join(encodings).decode("latin-1"), self._settings.max_answer_bytes)

    def _request(self, call: Call) -> Request:
        method, url, headers, body, _, is_alike = call
        if is_alike:
            request = self._alike_request(method, url, tuple(headers.items()))
            return request._replace(body=body) if body else request
        return self._make_request(method, url, headers, body)

    def _write_request(self, method: str, url: str, headers: tuple[tuple[str, str], ...]) -> Request:
        """Return a request without its body, and with its head written."""
        request = self._make_request(method, url, dict(headers), b"")
        return request._replace(head=self.heads.write(request))

    def _make_request(self, method: str, url: str, headers: dict[str, str], body: bytes) -> Request:
        if is_plain_target(url):
            place, added = Url(self._origin, self._prefix + url, None), self._at_home
        else:
            place = parse_url(self.complete(url))
            added = self._at_home if place.origin == self._origin else self.heads.for_one_server
            if place.credentials is not None:
                added = added | {"authorization": _authorization(place.credentials)}
        if added:
            given = {name.lower() for name in headers}
            headers = dict(pair for key, pair in added.items() if key not in given) | headers
        return Request(method, place, headers, body)

    def _exchange(self, request: Request, alarm: Alarm) -> Answer:
        method, url, _, body, _ = request
        if self.cookies:
            request = self._with_cookies(request)
        head = request.head or self.heads.write(request)
        answer = self._pool.exchange(url.origin, method, head + body if body else head, alarm)
        if b"set-cookie" in answer.last:
            for name, value in answer.headers:
                if name.lower() == b"set-cookie":
                    self.cookies.take(value.decode("latin-1"), url.origin.host, url.path)
        return answer

    def _with_cookies(self, request: Request) -> Request:
        """Add the cookies that belong to a request, unless it has brought its own."""
        url, headers = request.url, request.headers
        cookies = self.cookies.header(url.origin.host, url.path, is_tls=url.origin.scheme == "https")
        if not cookies or any(name.lower() == "cookie" for name in headers):
            return request
        return request._replace(headers=headers | {"Cookie": cookies}, head=b"")


def _text_of(location: bytes) -> str:
    """Return what a server meant that left a URL unquoted, as browsers guess it."""
    try:
        return location.decode()
    except UnicodeDecodeError:
        return location.decode("latin-1")


def _authorization(credentials: tuple[str, str]) -> tuple[str, str]:
    return "Authorization", basic_auth(*credentials)
