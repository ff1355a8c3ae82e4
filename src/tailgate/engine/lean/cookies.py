"""The cookies of one user, by RFC 6265; the standard library's jar takes longer than all the rest of a request."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from http import cookiejar
from ipaddress import ip_address
from typing import Any

_NEVER = float("inf")
_is_seconds = re.compile(r"-?[0-9]+").fullmatch
_http2time: Any = cookiejar.http2time  # type: ignore[attr-defined] # the type stubs leave it out


@dataclass(frozen=True, slots=True, kw_only=True)
class Cookie:
    """A cookie, and where it goes."""

    name: str
    value: str
    domain: str
    path: str = "/"
    is_for_subdomains: bool = False
    is_secure: bool = False
    """Sent over TLS only, or to this machine itself, as browsers do."""
    expires_at: float = _NEVER
    """By the wall clock."""

    def goes_to(self, host: str, path: str, *, is_secure: bool, now: float) -> bool:
        """Tell whether it belongs into a request."""
        is_host = host == self.domain or (self.is_for_subdomains and host.endswith("." + self.domain))
        return is_host and _is_below(path, self.path) and now < self.expires_at and (is_secure or not self.is_secure)


class CookieJar:
    """The cookies that a user has been given; empty until then."""

    def __init__(self) -> None:
        self._cookies: dict[tuple[str, str, str], Cookie] = {}

    def __len__(self) -> int:
        return len(self._cookies)

    def get(self, name: str) -> str | None:
        """Return the value of a cookie, whatever host it is of; None if there is none of that name."""
        return next((cookie.value for cookie in self._cookies.values() if cookie.name == name), None)

    def set(self, cookie: Cookie) -> None:
        """Keep a cookie, instead of an older one; one that has expired removes that."""
        key = (cookie.domain, cookie.path, cookie.name)
        if cookie.expires_at <= time.time():
            self._cookies.pop(key, None)
        else:
            self._cookies[key] = cookie

    def clear(self) -> None:
        """Forget all cookies."""
        self._cookies.clear()

    def header(self, host: str, path: str, *, is_tls: bool) -> str:
        """Return the header ``Cookie`` of a request; empty if no cookie belongs into it."""
        now, is_secure = time.time(), is_tls or _is_this_machine(host)
        fitting = [one for one in self._cookies.values() if one.goes_to(host, path, is_secure=is_secure, now=now)]
        fitting.sort(key=lambda cookie: -len(cookie.path))  # Section 5.4: longer paths first, then older ones.
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in fitting)

    def take(self, text: str, host: str, path: str) -> None:
        """Keep the cookie of one header ``Set-Cookie``, as an answer to a request for ``path`` of ``host``."""
        if (cookie := parse_cookie(text, host, path, time.time())) is not None:
            self.set(cookie)


def parse_cookie(text: str, host: str, path: str, now: float) -> Cookie | None:
    """Return the cookie of a header ``Set-Cookie``; None where sections 5.2 and 5.3 say to ignore it."""
    pair, *rest = text.split(";")
    name, equals, value = (part.strip() for part in pair.partition("="))
    attributes = {key.strip().lower(): given.strip() for key, _, given in (part.partition("=") for part in rest)}
    domain = attributes.get("domain", "").lstrip(".").lower()
    if not equals or not name or (domain and not _may_set(host, domain)):
        return None
    given_path = attributes.get("path", "")
    return Cookie(
        name=name,
        value=value,
        domain=domain or host,
        is_for_subdomains=bool(domain) and not _is_address(host),
        path=given_path if given_path.startswith("/") else _default_path(path),
        is_secure="secure" in attributes,
        expires_at=_expiry(attributes, now),
    )


def _may_set(host: str, domain: str) -> bool:
    """Tell whether ``host`` belongs to ``domain``, and that is more than a name at the top of all names."""
    return host == domain or (host.endswith("." + domain) and "." in domain and not _is_address(host))


def _expiry(attributes: dict[str, str], now: float) -> float:
    """Return when a cookie expires; ``Max-Age`` counts before ``Expires``."""
    if _is_seconds(max_age := attributes.get("max-age", "")):
        return now + float(max_age)  # As an int, some hundred digits would be an error, and not just far away.
    try:
        expires = _http2time(attributes.get("expires", ""))
    except ValueError:  # The same, in a year.
        return _NEVER
    return _NEVER if expires is None else float(expires)


def _default_path(path: str) -> str:
    """Return the directory of the request, section 5.1.4."""
    return path[: path.rfind("/")] or "/"


def _is_below(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory if directory.endswith("/") else directory + "/")


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_this_machine(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ip_address(host).is_loopback)
