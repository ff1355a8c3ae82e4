"""What a request returns."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Self

from locust.contrib.fasthttp import LocustBadStatusCode
from locust.event import EventHook
from locust.exception import CatchResponseError, LocustError, ResponseError

from tailgate.engine.lean.answers import Answer
from tailgate.engine.lean.urls import Url

_FIRST_ERROR = 400
_CATCH = "pass catch_response=True and use a with block to decide the outcome of a request"


class ResponseHeaders(Mapping[str, str]):
    """The headers of an answer, whatever the case of their names; several of one name are joined by commas."""

    def __init__(self, pairs: list[tuple[bytes, bytes]]) -> None:
        self._pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in pairs]

    def __getitem__(self, name: str) -> str:
        values = self.get_list(name)
        if not values:
            raise KeyError(name)
        return ", ".join(values)

    def __iter__(self) -> Iterator[str]:
        return iter({name.lower(): name for name, _ in self._pairs}.values())

    def __len__(self) -> int:
        return len({name.lower() for name, _ in self._pairs})

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(self.get_list(name))

    def __repr__(self) -> str:
        return f"ResponseHeaders({self._pairs!r})"

    def get_list(self, name: str) -> list[str]:
        """Return the values of all headers of one name, such as ``Set-Cookie``."""
        wanted = name.lower()
        return [value for given, value in self._pairs if given.lower() == wanted]


class LeanResponse:
    """An answer, or why there is none; headers, text and JSON are read when somebody asks for them."""

    js: Any = None
    """Set by ``rest()`` of the user."""
    encoding: str | None = None
    """Of the text, where the headers do not tell or are wrong."""
    request_meta: dict[str, Any]
    """What Locust's ``request`` event is told, but for the response itself; with ``catch_response`` alone."""
    _is_entered = False
    _is_decided = False
    _problem: Exception | None = None
    _event: EventHook | None = None

    def __init__(
        self,
        place: Url | str,
        answer: Answer | None = None,
        content: bytes | None = None,
        *,
        error: Exception | None = None,
        took_s: float = 0.0,
    ) -> None:
        status = 0 if answer is None else answer.status
        self.status_code = status
        """0 if there is no answer."""
        self.content = content
        """The decoded body; None if there is no answer."""
        self.error = LocustBadStatusCode(str(place), code=status) if status >= _FIRST_ERROR else error
        """Why there is no answer, or that its status is 400 or above."""
        self.took_s = took_s
        """From sending the request to the last byte, all redirects included."""
        self._place = place
        self._answer = answer
        self._headers: ResponseHeaders | None = None

    @property
    def url(self) -> str:
        """Where the answer came from, after all redirects."""
        return str(self._place)

    @property
    def ok(self) -> bool:
        """Whether there is an answer, and its status is below 400."""
        return self.error is None

    @property
    def headers(self) -> ResponseHeaders:
        """The headers of the answer; none if there is no answer."""
        if self._headers is None:
            self._headers = ResponseHeaders(self._answer.headers if self._answer is not None else [])
        return self._headers

    @property
    def elapsed(self) -> timedelta:
        """The same as ``took_s``, as other clients have it."""
        return timedelta(seconds=self.took_s)

    @property
    def text(self) -> str | None:
        """The body as text, in the charset of its headers or else UTF-8; None if there is no answer."""
        if self.content is None:
            return None
        charset = self.encoding or _charset_of(self.headers.get("content-type", ""))
        try:
            return str(self.content, charset, errors="replace")
        except LookupError:  # No such charset.
            return str(self.content, "utf-8", errors="replace")

    def json(self) -> Any:
        """Return the body, decoded from JSON.

        Raises:
            ValueError: It is no JSON.
        """
        if self.content is None:
            self.raise_for_status()
        return json.loads(self.content or b"")

    def raise_for_status(self) -> None:
        """Raise why there is no answer, that its status is 400 or above, or what the task made of it."""
        problem = self._problem if self._is_decided else self.error
        if problem is not None:
            raise problem

    def success(self) -> None:
        """Count the request as a success, whatever its status."""
        self._decide(None)

    def failure(self, problem: Exception | str) -> None:
        """Count the request as a failure because of ``problem``."""
        self._decide(problem if isinstance(problem, Exception) else CatchResponseError(problem))

    def await_verdict(self, event: EventHook, meta: dict[str, Any]) -> None:
        """Leave it to a with block to decide, and to tell the event afterwards."""
        self._event = event
        self.request_meta = meta

    def __enter__(self) -> Self:
        if self._event is None:
            raise LocustError(_CATCH)
        self._is_entered = True
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> bool:
        """Report the request, also where the block raised: it was sent, and it was answered or not."""
        del kind, traceback
        is_verdict = not self._is_decided and isinstance(error, ResponseError)
        if is_verdict:
            self.request_meta["exception"] = error
        elif self._is_decided:
            self.request_meta["exception"] = self._problem
        if self._event is not None:
            self._event.fire(response=self, **self.request_meta)
        return is_verdict

    def _decide(self, problem: Exception | None) -> None:
        if not self._is_entered:
            raise LocustError(_CATCH)
        self._is_decided = True
        self._problem = problem


def _charset_of(content_type: str) -> str:
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip("\"'") or "utf-8"
    return "utf-8"
