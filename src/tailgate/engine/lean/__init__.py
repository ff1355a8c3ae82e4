"""A Locust user over plain sockets and httptools' parser: the generator's processor time belongs to the service."""

from tailgate.engine.lean.response import LeanResponse
from tailgate.engine.lean.session import LeanSession
from tailgate.engine.lean.user import LeanHttpUser

__all__ = ["LeanHttpUser", "LeanResponse", "LeanSession"]
