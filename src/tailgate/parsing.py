"""Read what a person wrote on a command line; what it is wanted for is the caller's to tell."""

from __future__ import annotations

import math

LAST_PORT = 65_535


def read_number(text: str) -> float:
    """Return the number that ``text`` is; NaN, which no range has in it, if it is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def read_address(text: str) -> tuple[str, int] | None:
    """Return host and port of ``HOST:PORT``, an IPv6 host without its brackets; None if it is something else."""
    host, _, port = text.rpartition(":")
    if not (host and port.isascii() and port.isdigit() and 0 < int(port) <= LAST_PORT):
        return None
    return host.strip("[]"), int(port)
