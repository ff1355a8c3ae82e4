"""The user class for HTTP that costs the generator the least."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ssl import SSLContext
from typing import Any

from gevent.pool import Group
from locust import User
from locust.exception import StopTest
from locust.user.users import RestMixin

from tailgate.engine.lean.session import LeanSession
from tailgate.engine.lean.settings import ClientSettings

_REFUSED = {
    "proxy_host": "requests go straight to the server, and proxies of the environment are left alone",
    "proxy_port": "as proxy_host",
    "client_pool": "each user has connections of its own",
    "concurrency": "each request that finds no idle connection opens one",
    "max_retries": "requests are sent once; the task decides about another attempt",
}
"""Attributes of ``locust.FastHttpUser`` that would silently do nothing here."""


class LeanHttpUser(User, RestMixin[Any]):
    """A user whose ``client`` sends HTTP/1.1 at a fraction of what other clients of Locust cost the generator.

    Its conventions are those of ``locust.FastHttpUser``. In three points it is stricter: certificates are verified
    unless ``insecure`` is set, the network's errors keep their own names, and options that it has not are refused.
    It works in load tests of tailgate and under plain ``locust``.

    All timeouts are in seconds.
    """

    abstract = True

    connection_timeout: float = 60.0
    """For a connection: the name looked up, connected, and TLS agreed on."""
    network_timeout: float = 60.0
    """The longest silence of the server, also before the first byte of its answer."""
    request_timeout: float = 60.0
    """For all of a request, redirects included; in a load test of tailgate its own limit holds as well."""
    max_redirects: int = 30
    """More of them in a row are a failure."""
    max_head_bytes: int = 1 << 16
    """A longer head of an answer is a failure."""
    max_answer_bytes: int = 1 << 28
    """A longer answer is a failure, also one that is longer when it is decoded."""
    insecure: bool = False
    """Whether any certificate of a server will do."""
    ssl_context_factory: Callable[[], SSLContext] | None = None
    """Makes the TLS context of all users of the class, such as one with another authority or a client certificate."""
    default_headers: Mapping[str, str] | None = None
    """Sent with every request; credentials, cookies and ``Host`` are not sent on by a redirect to another server."""

    client: LeanSession

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        problems = [f"{cls.__name__}.{name}: {why}" for name, why in _REFUSED.items() if getattr(cls, name, None)]
        if problems:
            raise TypeError("LeanHttpUser does not support " + "; ".join(problems))

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        if self.host is None:
            raise StopTest("there is no host; set host on the user's class, or pass --host")
        self._session = LeanSession(self.host, environment.events.request, self, self._settings())
        self.client = self._session

    def start(self, group: Group) -> Any:
        """Start the user's greenlet, as Locust does, and close its connections when it ends."""
        greenlet: Any = super().start(group)
        greenlet.link(lambda _: self._session.close())
        return greenlet

    def _settings(self) -> ClientSettings:
        return ClientSettings(
            connection_timeout_s=self.connection_timeout,
            network_timeout_s=self.network_timeout,
            request_timeout_s=self.request_timeout,
            max_redirects=self.max_redirects,
            max_head_bytes=self.max_head_bytes,
            max_answer_bytes=self.max_answer_bytes,
            is_insecure=self.insecure,
            ssl_context_factory=type(self).ssl_context_factory,  # Not self's: a function would become a method.
            default_headers=self.default_headers or {},
        )
