"""Record what Locust tells about each request, and what happens to the users."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from locust import User

from tailgate.model import ErrorCount
from tailgate.samples import Outcome, SampleLog

_MOST_ERRORS = 200
"""Kinds of errors that are told apart; a service that puts a new id into each message must not fill the memory."""
_LONGEST_ERROR = 300
"""Characters of an error's text that are kept."""


class Recorder:
    """Everything that one run leaves behind, while it goes on."""

    def __init__(self) -> None:
        self.log = SampleLog()
        self.began = time.time()
        self.sent = 0
        """Requests that a tracked client began."""
        self.reported = 0
        """Requests of which an outcome was recorded."""
        self.user_deaths: Counter[tuple[str, str]] = Counter()
        self.task_exceptions: Counter[tuple[str, str]] = Counter()
        self._errors: Counter[tuple[str, str]] = Counter()

    def record(self, event: dict[str, Any]) -> None:
        """Record one ``request`` event of Locust.

        Raises:
            TypeError: A custom client fired an event without ``response_time``; the task that did so gets it.
        """
        self.reported += 1
        latency_ms = event["response_time"]
        if latency_ms is None:
            raise TypeError(f"the request event of {event['name']!r} has no response_time")
        exception = event.get("exception")
        started = event.get("start_time")
        if started is None:
            started = time.time() - latency_ms / 1000
        method, name = event["request_type"], event["name"]
        self.log.add(method, name, started - self.began, latency_ms, Outcome.FAILURE if exception else Outcome.SUCCESS)
        if exception:
            self._count_error(f"{method} {name}", exception)

    def add_censored(self, method: str, name: str, started: float) -> None:
        """Record a request that was still running when its user was killed."""
        self.reported += 1
        waited_ms = (time.time() - started) * 1000
        self.log.add(method, name, started - self.began, waited_ms, Outcome.CENSORED)
        self._count_error(f"{method} {name}", "no answer when the run ended")

    def on_user_error(self, user_instance: Any, exception: Exception, **_: Any) -> None:
        """Count an exception of a task; one of ``on_start`` ends its user and is counted there."""
        if not isinstance(user_instance, User):
            where = type(user_instance.user).__name__
            self.task_exceptions[where, f"{type(exception).__name__}: {exception}"[:_LONGEST_ERROR]] += 1

    @property
    def errors(self) -> tuple[ErrorCount, ...]:
        """Failed requests by kind, most frequent first."""
        return as_error_counts(dict(self._errors.most_common()))

    def _count_error(self, where: str, error: object) -> None:
        text = error if isinstance(error, str) else f"{type(error).__name__}: {error}".removesuffix(": ")
        key = (where, text[:_LONGEST_ERROR])
        if key not in self._errors and len(self._errors) >= _MOST_ERRORS:
            key = (where, "other errors")
        self._errors[key] += 1


def as_error_counts(counts: Mapping[tuple[str, str], int]) -> tuple[ErrorCount, ...]:
    """Return counts by place and text as values."""
    return tuple(ErrorCount(where=where, error=error, count=count) for (where, error), count in counts.items())
