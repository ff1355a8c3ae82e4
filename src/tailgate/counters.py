"""Counts that the code of users keeps during a run."""

from __future__ import annotations

from operator import index


class Counters:
    """Named counts of one run: ``self.counters.add("successful_purchases")``.

    Every user of a run shares one object and every run has its own. Plain addition is safe, because users are
    greenlets of one thread and nothing here gives way to another.
    """

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def add(self, name: str, count: int = 1) -> None:
        """Add ``count`` to the counter ``name``, which begins at 0.

        Raises:
            TypeError: ``count`` is no whole number.
        """
        self._counts[name] = self._counts.get(name, 0) + index(count)

    def as_dict(self) -> dict[str, int]:
        """Return all counts by name."""
        return dict(self._counts)
