"""Run load: the only importer of Locust and gevent."""

from __future__ import annotations

from tailgate import unpatched

unpatched.install()

from tailgate.engine.plan import LoadPlan, make_plan  # noqa: E402 - Locust must be imported after the line above
from tailgate.engine.run import LiveRun, Monitor, run_load  # noqa: E402

__all__ = ["LiveRun", "LoadPlan", "Monitor", "make_plan", "run_load"]
