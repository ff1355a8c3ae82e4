"""Which of a run's users live in this process, where several processes make one load."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One of ``count`` equal parts of a load."""

    index: int = 0
    """From 0; no two processes have the same."""
    count: int = 1

    @property
    def ratio(self) -> float:
        """The part of an arrival rate that it is."""
        return 1 / self.count


WHOLE = Share()
"""All of a load, as one process has it."""


class Owners:
    """Deals users out to the processes of a run, one after the other.

    Every process deals out all users in the same order, so all of them know without a word who has which. All have as
    many, give or take one, and each class goes to those that have fewest of it.
    """

    def __init__(self, share: Share) -> None:
        self._share = share
        self._by_class: Counter[tuple[int, str]] = Counter()
        self._total: Counter[int] = Counter()
        self._dealt: list[tuple[int, str]] = []

    def deal(self, name: str) -> bool:
        """Deal out one more user of a class; return whether it is ours."""
        owner = min(range(self._share.count), key=lambda index: (self._total[index], self._by_class[index, name]))
        self._dealt.append((owner, name))
        self._by_class[owner, name] += 1
        self._total[owner] += 1
        return owner == self._share.index

    def take_back(self) -> None:
        """Take the user back that was dealt out last."""
        owner, name = self._dealt.pop()
        self._by_class[owner, name] -= 1
        self._total[owner] -= 1
