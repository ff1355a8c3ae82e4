"""The live line: how a run is doing while it runs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tailgate.model import render_figure
from tailgate.reports.highlights import render_duration
from tailgate.reports.text import NO_FIGURE, Screen, cell_width

_GAP = "  "


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How a run is doing at one moment."""

    stage: str
    """``scenario/stage``, or whatever tells the reader where the run is."""
    users: int
    """Users alive."""
    throughput_rps: float
    """Requests a second, of late."""
    p95_ms: float | None
    """Of late; None while there is no successful request."""
    failures: int
    """Failed requests so far."""
    left_s: float | None
    """Seconds until the last stage ends."""


class Throughput:
    """How fast requests come, from one look at their number to the next."""

    def __init__(self) -> None:
        self._seen: tuple[float, int] | None = None

    def rps(self, elapsed_s: float, requests: int) -> float:
        """Return requests a second since the last look; 0 at the first, which sees those that users began with."""
        before_s, before = self._seen or (elapsed_s, requests)
        self._seen = (elapsed_s, requests)
        return (requests - before) / (elapsed_s - before_s) if elapsed_s > before_s else 0.0


def render_progress(snapshot: Progress, width: int = 80, *, unicode: bool = True) -> str:
    """Render one line, never wider than ``width``: ``peak/hold  20 users  412/s  p95 23.1 ms  0 failed  8 s left``.

    On a narrow terminal the name of the stage is shortened, then the figures on the right go.
    """
    screen = Screen(width=width, color=False, unicode=unicode)
    latency = NO_FIGURE if snapshot.p95_ms is None else render_figure("p95_ms", snapshot.p95_ms)
    figures = [
        f"{snapshot.users:,} {'user' if snapshot.users == 1 else 'users'}",
        _rate(snapshot.throughput_rps),
        screen.clean(f"p95 {latency}"),
        f"{snapshot.failures:,} failed",
        *([f"{_left(snapshot.left_s)} left"] if snapshot.left_s is not None else []),
    ]
    stage = screen.clean(snapshot.stage)
    room = width - sum(len(_GAP) + cell_width(figure) for figure in figures)
    return screen.crop(_GAP.join([screen.shorten(stage, max(room, min(cell_width(stage), 8))), *figures]))


def _rate(rps: float) -> str:
    """Return requests a second; fractions only where they matter."""
    return f"{rps:.1f}/s" if round(rps, 1) < 10 else f"{rps:,.0f}/s"  # noqa: PLR2004 - 9.96 is "10/s"


def _left(seconds: float) -> str:
    """Return the time left in whole seconds, rounded up: nothing left means the end."""
    whole = max(0, math.ceil(seconds))
    return f"{whole} s" if whole < 60 else render_duration(whole)  # noqa: PLR2004 - a minute
