"""A gate on tail latency for pytest: short Locust runs and a verdict that a pull request can trust."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tailgate.counters import Counters
from tailgate.errors import BadInput, InvalidRun, StackNotReady, TailgateError, ThresholdBreach
from tailgate.model import Judged, Stage, Verdict
from tailgate.shapes import Arrivals, Peak, Shape, Soak, Spike, Stages, Stress

if TYPE_CHECKING:
    from tailgate.engine.lean import LeanHttpUser
    from tailgate.loading import Load
    from tailgate.run import RunResult

__all__ = [
    "Arrivals",
    "BadInput",
    "Counters",
    "InvalidRun",
    "Judged",
    "LeanHttpUser",
    "Load",
    "Peak",
    "RunResult",
    "Shape",
    "Soak",
    "Spike",
    "StackNotReady",
    "Stage",
    "Stages",
    "Stress",
    "TailgateError",
    "ThresholdBreach",
    "Verdict",
]


def __getattr__(name: str) -> Any:
    """Import what needs NumPy or Locust when it is first asked for: pytest loads this package in every session."""
    if name == "LeanHttpUser":
        from tailgate.engine.lean import LeanHttpUser  # noqa: PLC0415 - see above

        return LeanHttpUser
    if name == "RunResult":
        from tailgate.run import RunResult  # noqa: PLC0415 - see above

        return RunResult
    if name == "Load":
        from tailgate.loading import Load  # noqa: PLC0415 - see above

        return Load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
