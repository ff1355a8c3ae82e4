"""Why a request had no usable answer: each is recorded as that request's failure."""

from __future__ import annotations


class RequestError(Exception):
    """A request had no usable answer. What the operating system or TLS say goes its own way, as ``OSError``."""


class InvalidUrl(RequestError):
    """There is no such place to send a request to."""


class RequestTimeout(RequestError):
    """Time ran out.

    Not a ``gevent.Timeout``, which no ``except Exception`` in a task or a listener could stop.
    """

    def __init__(self, missing: str, seconds: float) -> None:
        self.missing = missing
        self.seconds = seconds
        super().__init__(f"{missing} within {seconds:g} s")


class ConnectionClosed(RequestError):
    """The server closed the connection before its answer was complete."""


class MalformedAnswer(RequestError):
    """What the server sent is not HTTP, or not an answer to the request."""


class AnswerTooLarge(RequestError):
    """The answer is larger than the user's class allows."""


class EncodingError(RequestError):
    """The body is not in the encoding that its headers name, or nobody here can decode that."""


class RedirectError(RequestError):
    """The server redirected to where the client cannot go, or too often."""
