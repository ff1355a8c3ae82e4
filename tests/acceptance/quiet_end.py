"""Arrivals whose end is quiet: what a machine held up until then is sent after all, so that numbers are exact."""

from __future__ import annotations

from tailgate import Stage, Stages

QUIET_S = 0.3
QUIET = Stage(name="quiet", duration_s=QUIET_S, arrival_rate_rps=1e-6)


def arrivals(rate_rps: float, duration_s: float) -> Stages:
    """Return a shape at a rate, and then some time in which nothing is due."""
    return Stages(Stage(name="busy", duration_s=duration_s, arrival_rate_rps=rate_rps), QUIET)
