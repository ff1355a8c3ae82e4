"""How a request can end."""

from __future__ import annotations

from enum import IntEnum


class Outcome(IntEnum):
    """How a request ended."""

    SUCCESS = 0
    FAILURE = 1
    CENSORED = 2
    """Still running when the run ended: a failure that took at least its latency."""
