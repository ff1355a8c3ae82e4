"""Ask whether anybody listens at the host, before any load is sent there."""

from __future__ import annotations

import socket
import ssl
from urllib.parse import urlsplit

from tailgate.errors import BadInput

_PATIENCE_S = 5.0


def check_host(host: object) -> None:
    """Refuse a host that is not a base URL, or where nobody speaks its protocol.

    Raises:
        BadInput: What was found, what was wanted, what to do.
    """
    name, port, scheme = read_host(host)
    try:
        with socket.create_connection((name, port), timeout=_PATIENCE_S) as connection:
            if scheme == "https":
                _shake_hands(connection, name, str(host))
    except (OSError, UnicodeError) as error:  # The latter where the name is none that could be looked up.
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise BadInput([f"load: nobody answers at {host} ({reason}); is the service running?"]) from error


def read_host(host: object) -> tuple[str, int, str]:
    """Return name, port and scheme of a base URL.

    Raises:
        BadInput: As ``check_host``, but nobody is asked.
    """
    if host is None:
        ways = "pass host=, set host on the user class, override the fixture perf_target, or give --perf-stack=URL"
        raise BadInput([f"load: there is no host; {ways}"])
    if not isinstance(host, str) or not host:
        raise BadInput([f"load: host is {host!r}, wanted a base URL such as http://127.0.0.1:8080"])
    try:
        url = urlsplit(host)
        port = url.port or (443 if url.scheme == "https" else 80)
    except ValueError as error:
        raise BadInput([f"load: host {host!r}: {error}"]) from error
    if url.scheme not in {"http", "https"} or not url.hostname:
        raise BadInput([f"load: host {host!r} has no scheme or name, wanted a base URL such as http://127.0.0.1:8080"])
    if url.query or url.fragment:
        raise BadInput(
            [f"load: host {host!r} has a query or fragment, wanted a base URL such as http://127.0.0.1:8080"]
        )
    return url.hostname, port, url.scheme


def _shake_hands(connection: socket.socket, name: str, host: str) -> None:
    # Whether the certificate is trusted is the users' business (``insecure`` of their class), not this check's.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        context.wrap_socket(connection, server_hostname=name).close()
    except OSError as error:  # Errors of TLS are of that kind too.
        reason = getattr(error, "reason", None) or error.strerror or str(error)
        raise BadInput([f"load: {host} does not speak TLS ({reason}); is it an http:// address?"]) from error
