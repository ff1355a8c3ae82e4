"""Run load: the only importer of Locust and gevent."""

from __future__ import annotations

from tailgate import unpatched

unpatched.install()

from tailgate.engine.fleet import Workers  # noqa: E402 - Locust must be imported after the line above
from tailgate.engine.monitor import (  # noqa: E402 - Locust must be imported after the line above
    DuetMonitor,
    LiveArm,
    LiveDuet,
    LiveRun,
    Monitor,
)
from tailgate.engine.plan import LoadPlan, make_plan  # noqa: E402 - as above
from tailgate.engine.run import run_duet, run_load  # noqa: E402 - as above

__all__ = [
    "DuetMonitor",
    "LiveArm",
    "LiveDuet",
    "LiveRun",
    "LoadPlan",
    "Monitor",
    "Workers",
    "make_plan",
    "run_duet",
    "run_load",
]
