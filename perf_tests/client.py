"""Send requests that say what they expect, and try again what may be tried again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent
from locust.contrib.fasthttp import LocustBadStatusCode

from tailgate import Counters, LeanHttpUser

RETRIES = 2
RETRY_DELAY_S = 0.2
FIRST_SERVER_ERROR = 500

Validate = Callable[[Any], str]
"""Takes the decoded JSON of an answer and returns what is wrong with it; empty when nothing is."""


class CheckingUser(LeanHttpUser):
    """A user whose requests name the statuses that they expect: any other is a failure, an expected 404 is not."""

    abstract = True
    counters = Counters()
    """Each run of tailgate puts its own here."""

    def call(
        self,
        method: str,
        path: str,
        *,
        name: str,
        expected: tuple[int, ...] = (200,),
        json: Any = None,
        headers: dict[str, str] | None = None,
        validate: Validate | None = None,
    ) -> Any:
        """Send a request, again after a 5xx or a broken connection, and return the last response.

        Every attempt is a sample of its own under ``name``, so a final failure stays one, and so does a first one
        that a retry makes good. Retries are counted as ``retries``.
        """
        for attempt in range(1 + RETRIES):
            if attempt:
                self.counters.add("retries")
                gevent.sleep(RETRY_DELAY_S)
            with self.client.request(
                method, path, name=name, json=json, headers=headers, catch_response=True
            ) as response:
                problem = _problem_of(response, expected, validate)
                if problem is None:
                    response.success()
                else:
                    response.failure(problem)
            is_worth_another = isinstance(problem, Exception) or response.status_code >= FIRST_SERVER_ERROR
            if problem is None or not is_worth_another:
                break
        return response


def _problem_of(response: Any, expected: tuple[int, ...], validate: Validate | None) -> Exception | str | None:
    """Return what is wrong with a response: the error of a broken connection, or a text; None when nothing is."""
    # Also that of an answer that broke off after its status; Locust would forget it when told of a success.
    error: Exception | None = response.request_meta["exception"]
    if error is not None and not isinstance(error, LocustBadStatusCode):
        return error
    if response.status_code not in expected:
        return f"status {response.status_code}, expected {' or '.join(map(str, expected))}"
    if validate is None:
        return None
    try:
        return validate(response.json()) or None
    except (ValueError, TypeError, LookupError) as wrong:
        return f"unusable answer: {type(wrong).__name__}: {wrong}"
