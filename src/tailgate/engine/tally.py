"""Count errors by place and text, in bounded memory."""

from __future__ import annotations

from collections import Counter

from locust.contrib.fasthttp import LocustBadStatusCode

from tailgate.model import ErrorCount, printable

_MOST_KINDS = 200
"""Kinds that are told apart; a service that puts a new id into each message must not fill the memory."""
_LONGEST_TEXT = 300
"""Characters of an error's text that are kept."""


class Tally:
    """Kinds of errors and how often each was seen."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()

    def add(self, where: str, error: BaseException | str, count: int = 1) -> None:
        """Count one error, or ``count`` of the same; where there are too many kinds already, as one of the others."""
        where = printable(where)
        key = (where, printable(_text_of(error))[:_LONGEST_TEXT])
        if key not in self._counts and len(self._counts) >= _MOST_KINDS:
            key = (where, "other errors")
        self._counts[key] += count

    @property
    def counts(self) -> tuple[ErrorCount, ...]:
        """All kinds, most frequent first."""
        return tuple(
            ErrorCount(where=where, error=error, count=count) for (where, error), count in self._counts.most_common()
        )


def _text_of(error: BaseException | str) -> str:
    if isinstance(error, str):
        return error
    if isinstance(error, LocustBadStatusCode):  # Its text holds the URL, which may be another one each time.
        return f"HTTP status {vars(error)['code']}"
    return f"{type(error).__name__}: {error}".removesuffix(": ")
