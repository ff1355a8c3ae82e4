"""The worker processes of a run, as whoever starts them, or waits for them, offers them to the engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Workers(Protocol):
    """The processes in which the users of a run live."""

    @property
    def bind(self) -> tuple[str, int]:
        """Where the master listens for them; port 0 is one that the system picks."""
        ...  # pragma: no cover

    @property
    def count(self) -> int:
        """How many there are to be."""
        ...  # pragma: no cover

    @property
    def patience_s(self) -> float:
        """How long they may take to come."""
        ...  # pragma: no cover

    def start(self, port: int) -> None:
        """Start them, if that is ours to do; the master listens on ``port``."""
        ...  # pragma: no cover

    def ended(self) -> Mapping[str, str]:
        """Return how processes ended that we started, by the name of the worker: ``was killed by SIGKILL``."""
        ...  # pragma: no cover

    def log_of(self, name: str) -> str:
        """Return what such a process wrote last."""
        ...  # pragma: no cover

    def kill(self, name: str) -> None:
        """End one at once, if we started it."""
        ...  # pragma: no cover

    def say(self, text: str) -> None:
        """Tell the person who waits what is waited for."""
        ...  # pragma: no cover
