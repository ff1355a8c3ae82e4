"""Users in other processes, on this machine or on others, as one arm of a run."""

from __future__ import annotations

from tailgate.engine.fleet.fleet import Fleet
from tailgate.engine.fleet.workers import Workers

__all__ = ["Fleet", "Workers"]
