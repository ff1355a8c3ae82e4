"""Follow redirects as browsers do."""

from __future__ import annotations

from tailgate.engine.lean.errors import InvalidUrl, RedirectError
from tailgate.engine.lean.requests import FOR_ONE_SERVER, Request
from tailgate.engine.lean.urls import Origin, follow

STATUSES = frozenset({301, 302, 303, 307, 308})
_ABOUT_BODIES = frozenset({"content-length", "content-type", "content-encoding", "content-language"})


def redirect(request: Request, status: int, location: str) -> Request:
    """Return the request that a redirect asks for.

    As in browsers (https://fetch.spec.whatwg.org/#http-redirect-fetch) and in ``requests``: a 301 turns a POST, a 302
    or 303 everything but a HEAD into a GET without a body; 307 and 308 change nothing. Credentials and cookies that
    the task or its class gave go to the same server only, and not to one that redirects back to it.

    Raises:
        RedirectError: There is no such place.
    """
    try:
        url = follow(request.url, location)
    except InvalidUrl as error:
        raise RedirectError(f"redirected to an impossible place: {error}") from error
    method, body, dropped = request.method, request.body, frozenset[str]()
    if (status in {302, 303} and method != "HEAD") or (status == 301 and method == "POST"):  # noqa: PLR2004 - see above
        method, body, dropped = "GET", b"", _ABOUT_BODIES
    if not _is_same_server(request.url.origin, url.origin):
        dropped |= FOR_ONE_SERVER
    headers = {name: value for name, value in request.headers.items() if name.lower() not in dropped}
    return Request(method, url, headers, body)


def _is_same_server(before: Origin, after: Origin) -> bool:
    """Tell whether credentials may be sent on: to the same origin, or to its TLS side on the usual ports."""
    is_upgrade = (before.scheme, before.port, after.scheme, after.port) == ("http", 80, "https", 443)
    return before == after or (is_upgrade and before.host == after.host)
