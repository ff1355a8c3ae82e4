"""Where a request goes."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import quote, unquote, urlencode, urljoin, urlsplit

from tailgate.engine.lean.errors import InvalidUrl

_DEFAULT_PORTS = {"http": 80, "https": 443}
_KEPT_IN_URLS = "!#$%&'()*+,/:;=?@[]~"
"""What is left alone where a URL is quoted: all that has a meaning there, and what is quoted already."""
is_plain_target = re.compile(r"/[!-\"$-~]*").fullmatch
"""Whether a path and query can be sent as they are: visible ASCII without a fragment."""
is_absolute = re.compile(r"https?://", re.IGNORECASE).match
"""Whether a URL names its server."""


class Origin(NamedTuple):
    """A server, as URLs name it."""

    scheme: str
    host: str
    port: int

    @property
    def netloc(self) -> str:
        """Host and port as in the header ``Host``."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}"


class Url(NamedTuple):
    """A URL, taken apart."""

    origin: Origin
    target: str
    """Path and query, quoted."""
    credentials: tuple[str, str] | None

    @property
    def path(self) -> str:
        """The path without the query."""
        return self.target.partition("?")[0]

    def __str__(self) -> str:
        return f"{self.origin}{self.target}"


@lru_cache(maxsize=1024)
def parse_url(url: str) -> Url:
    """Take a complete URL apart.

    Raises:
        InvalidUrl: It is none, or none of HTTP.
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError as error:
        raise InvalidUrl(f"{url!r} is not a URL: {error}") from error
    if parts.scheme not in _DEFAULT_PORTS:
        raise InvalidUrl(f"{url!r} does not begin with http:// or https://")
    if not parts.hostname:
        raise InvalidUrl(f"{url!r} has no host")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    origin = Origin(parts.scheme, _ascii_host(parts.hostname, url), port or _DEFAULT_PORTS[parts.scheme])
    has_credentials = parts.username is not None and parts.password is not None
    credentials = (unquote(parts.username or ""), unquote(parts.password or "")) if has_credentials else None
    return Url(origin, quote(target, safe=_KEPT_IN_URLS), credentials)


def follow(url: Url, location: str) -> Url:
    """Return where a redirect from ``url`` leads to.

    Raises:
        InvalidUrl: Nowhere.
    """
    try:
        return parse_url(urljoin(str(url), location.strip()))
    except ValueError as error:
        raise InvalidUrl(f"{location!r} is not a URL: {error}") from error


def add_params(url: str, params: Any) -> str:
    """Return ``url`` with the pairs of a mapping or sequence, or a ready text, added to its query.

    Raises:
        TypeError: It is no text.
    """
    if not isinstance(url, str):
        raise refusal(url)
    added = params if isinstance(params, str) else urlencode(_without_none(params), doseq=True)
    if not added:
        return url
    url, hash_mark, fragment = url.partition("#")
    return f"{url}{'&' if '?' in url else '?'}{added}{hash_mark}{fragment}"


def refusal(url: object) -> TypeError:
    """Return what to raise where a task's ``url`` is no text."""
    return TypeError(f"url is {type(url).__name__}, wanted text")


def _without_none(params: Any) -> list[tuple[Any, Any]]:
    pairs = params.items() if hasattr(params, "items") else params
    return [(name, value) for name, value in pairs if value is not None]


def _ascii_host(host: str, url: str) -> str:
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode()
    except UnicodeError as error:
        raise InvalidUrl(f"{url!r} has an impossible host: {error}") from error
