"""How far the clocks of two machines are apart."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

ROUNDS = 12
"""The quickest of so many exchanges tells the most."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One question for the time, and its answer."""

    asked: float
    """By the asking clock."""
    told: float
    """By the other one."""
    heard: float
    """By the asking clock."""


@dataclass(frozen=True, slots=True)
class Offset:
    """How far another clock is ahead of ours."""

    offset_s: float
    error_s: float
    """It may be off by as much."""


def estimate_offset(exchanges: Iterable[Exchange]) -> Offset:
    """Return the offset of the other clock by the exchange that took least time.

    The other clock was read between the question and the answer, so half of that time is the largest possible error.
    An offset that is smaller than it may as well be none and is taken for none: the clock of a worker on the same
    machine is the same one, and its samples stay as exact as they are.

    Source: Mills 1991, https://doi.org/10.1109/26.103043.
    """
    best = min(exchanges, key=lambda exchange: exchange.heard - exchange.asked)
    error_s = (best.heard - best.asked) / 2
    offset_s = best.told - (best.asked + best.heard) / 2
    return Offset(0.0 if abs(offset_s) <= error_s else offset_s, error_s)
