"""What is sent: heads and bodies of requests."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import urlencode

from tailgate.engine.lean.decoding import ACCEPTED
from tailgate.engine.lean.urls import Origin, Url

Headers = dict[str, str]

_DEFAULTS = {"User-Agent": "tailgate", "Accept": "*/*", "Accept-Encoding": ACCEPTED}
WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
"""Methods that say how long their body is also when they have none."""
FOR_ONE_SERVER = frozenset({"authorization", "proxy-authorization", "cookie", "host"})
"""Headers that are no other server's business: they do not follow a redirect to one."""
_OURS = frozenset({"content-length", "transfer-encoding"})
_IMPOSSIBLE = re.compile(r"[\r\n\0]").search
_is_token = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
_JSON = {"Content-Type": "application/json", "Accept": "application/json"}


class Request(NamedTuple):
    """A request that is about to be sent."""

    method: str
    url: Url
    headers: Headers
    """Those of this request, and the defaults that are for one server; not those that all requests have."""
    body: bytes
    head: bytes = b""
    """What is sent before the body, where that is written already."""


class Heads:
    """Writes the heads of one user's requests, around what is the same in all of them."""

    def __init__(self, default_headers: Mapping[str, str]) -> None:
        checked = check_headers(default_headers)
        given = {name.lower() for name in checked}
        every = {name: value for name, value in _DEFAULTS.items() if name.lower() not in given} | checked
        by_key = {name.lower(): (name, value) for name, value in every.items()}
        self.for_one_server = {key: by_key.pop(key) for key in list(by_key) if key in FOR_ONE_SERVER}
        """Defaults, by their names in small letters, that are not written around a request but have to be in it."""
        self._lines = {key: f"{name}: {value}\r\n" for key, (name, value) in by_key.items()}
        self._around = lru_cache(maxsize=16)(self._write_around)

    def has(self, name: str) -> bool:
        """Tell whether a header, in small letters, is sent with every request."""
        return name in self._lines or name in self.for_one_server

    def write(self, request: Request) -> bytes:
        """Return the head of a request as it is sent."""
        method, url, headers, *_ = request
        has_host, block = self._around(tuple(headers))
        host = "" if has_host else _host_line(url.origin)
        own = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        return f"{method} {url.target} HTTP/1.1\r\n{host}{block}{own}\r\n".encode("latin-1")

    def _write_around(self, own: tuple[str, ...]) -> tuple[bool, str]:
        """Return whether a request's ``own`` headers have the host, and the lines of those that they do not replace."""
        names = {name.lower() for name in own}
        return "host" in names, "".join(line for name, line in self._lines.items() if name not in names)


def check_headers(headers: Mapping[str, Any]) -> Headers:
    """Return headers that can be sent; those that are None are left out.

    Raises:
        ValueError: A name or value would break the request apart, or contradict its body.
    """
    checked = {str(name): str(value).strip() for name, value in headers.items() if value is not None}
    for name, value in checked.items():
        if not _is_token(name):
            raise ValueError(f"{name!r} is no name of a header")
        if _IMPOSSIBLE(value) or not _is_latin(value):
            raise ValueError(f"header {name}: {value!r} cannot be sent; wanted one line of Latin-1")
        if name.lower() in _OURS:
            raise ValueError(f"header {name}: leave it out, it is computed from the body")
    return checked


def make_body(data: Any, json_value: Any, headers: Headers) -> bytes:
    """Return the body of a request, and add to ``headers`` what tells of it, unless they say something else.

    Args:
        data: Bytes, text, or a mapping or sequence of pairs, which becomes a form.
        json_value: Becomes JSON where there is no ``data``.
        headers: Those of the request so far.

    Raises:
        TypeError: ``data`` is something else.
    """
    if not data and json_value is not None:
        body, described = json.dumps(json_value).encode(), _JSON
    elif not data:
        return b""
    elif isinstance(data, str):
        body, described = data.encode(), {"Content-Type": "text/plain; charset=utf-8"}
    elif isinstance(data, bytes | bytearray | memoryview):
        body, described = bytes(data), {"Content-Type": "application/octet-stream"}
    elif isinstance(data, Mapping | list | tuple):
        body = urlencode(data, doseq=True).encode()
        described = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    else:
        raise TypeError(f"data is {type(data).__name__}, wanted bytes, text, a mapping or a list of pairs")
    if not headers:
        headers.update(described)
        return body
    given = {name.lower() for name in headers}
    headers.update({name: value for name, value in described.items() if name.lower() not in given})
    return body


def basic_auth(user: str | bytes, password: str | bytes) -> str:
    """Return the header ``Authorization`` of RFC 7617."""
    pair = b":".join(part.encode() if isinstance(part, str) else part for part in (user, password))
    return f"Basic {b64encode(pair).decode()}"


@lru_cache(maxsize=64)
def _host_line(origin: Origin) -> str:
    return f"Host: {origin.netloc}\r\n"


def _is_latin(value: str) -> bool:
    return value.isascii() or all(ord(character) < 256 for character in value)  # noqa: PLR2004 - where Latin-1 ends
