"""nginx's access log as values: what really reached the services."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

MARK_PREFIX = "/.tailgate/"
"""Requests that ask nginx itself to mark a place in its log; they are nobody's load."""

_DURATION = re.compile(r"""([\w!#$%&'*+.^`|~-]+)\s*;(?:[^,]*;)?\s*dur\s*=\s*"?(\d+(?:\.\d+)?)""")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessLogEntry:
    """One request as nginx saw it."""

    at_s: float
    """When it ended; seconds since the epoch."""
    duration_s: float
    """From the first byte read to the last byte sent."""
    method: str
    """Empty when the request was not understood."""
    uri: str
    """Normalised path without the query."""
    status: int
    """Status that the client got; 499 when the client left before."""
    upstreams: tuple[str, ...]
    """``host:port`` of each attempt, in order; more than one means a retry."""
    upstream_statuses: tuple[str, ...]
    """Status of each attempt; ``502`` or ``504`` without an answer, ``-`` when the client left before."""
    upstream_durations_s: tuple[float | None, ...]
    """Of each attempt; None when it never got that far."""
    request_id: str
    """The caller's ``X-Request-Id``, otherwise one that nginx made."""
    server_timing: str
    """What the last attempt's ``Server-Timing`` said; empty where nothing did."""

    @property
    def shares_ms(self) -> dict[str, float]:
        """What ``nginx``, the ``service`` and the ``database`` each took of the request, those that had a part in it.

        nginx counts in whole milliseconds, as does the service's share, all attempts together, that is made from its
        figures. What the service told as ``db`` is the database's.
        """
        service_ms = 1000 * sum(filter(None, self.upstream_durations_s))
        shares_ms = {"nginx": max(0.0, 1000 * self.duration_s - service_ms)}
        if self.upstreams:
            database_ms = parse_server_timing(self.server_timing).get("db")
            shares_ms["service"] = max(0.0, service_ms - (database_ms or 0.0))
            if database_ms is not None:
                shares_ms["database"] = database_ms
        return shares_ms


def parse_access_log(lines: Iterable[str]) -> tuple[AccessLogEntry, ...]:
    """Turn lines of the log into entries, without the marks.

    Raises:
        ValueError: A line is not from the log format of ``nginx.conf``.
    """
    return tuple(entry for entry in map(_parse_line, lines) if not entry.uri.startswith(MARK_PREFIX))


def parse_server_timing(text: str) -> dict[str, float]:
    """Return the durations, in milliseconds, of the metrics that a ``Server-Timing`` header lists with one.

    Several headers come as one, joined by commas; a description with a comma in it is not understood.

    Source: https://www.w3.org/TR/server-timing/#the-server-timing-header-field.
    """
    return {match[1]: float(match[2]) for match in _DURATION.finditer(text)}


def _parse_line(line: str) -> AccessLogEntry:
    fields = json.loads(line)
    return AccessLogEntry(
        at_s=float(fields["at"]),
        duration_s=float(fields["took"]),
        method=fields["method"],
        uri=fields["uri"],
        status=int(fields["status"]),
        upstreams=_split(fields["upstream"]),
        upstream_statuses=_split(fields["upstream_status"]),
        upstream_durations_s=tuple(None if text == "-" else float(text) for text in _split(fields["upstream_took"])),
        request_id=fields["request_id"],
        server_timing=fields["server_timing"],
    )


def _split(text: str) -> tuple[str, ...]:
    """Split nginx's list of attempts, which is empty when there was none."""
    return tuple(text.split(", ")) if text else ()
