"""The gate's shapes at full length, and how Locust follows them."""

from __future__ import annotations

from collections.abc import Mapping

from locust import LoadTestShape

from simulations.configuration import Configuration
from tailgate import Peak, Shape, Soak, Spike, Stages, Stress
from tailgate.shapes import level_at

FULL_SIZE: Mapping[str, Shape] = {
    "peak": Peak(users=300, ramp_s=60, hold_s=300, ramp_down_s=60),
    "stress": Stress(step_users=10, steps=60, step_s=60),
    "soak": Soak(users=50, ramp_s=600, hold_s=6600),
    "spike": Spike(users=50, spike_users=500, normal_s=300, spike_s=120, recovery_s=300),
}


class GateShape(LoadTestShape):
    """Has Locust follow a shape of the gate, stage by stage."""

    abstract = True  # Locust would make an instance of any other that it finds in a locustfile.

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self._stages = shape.stages
        self._duration_s = sum(stage.duration_s for stage in self._stages)

    def tick(self) -> tuple[int, float] | None:
        """Return the level of the current stage and how fast to get there; None after the last one."""
        elapsed_s = self.get_run_time()
        if elapsed_s >= self._duration_s:
            return None
        index, _ = level_at(self._stages, elapsed_s)
        stage = self._stages[index]
        before = self._stages[index - 1].users if index else 0
        at_once = max(1, abs(stage.users - before))
        return stage.users, stage.spawn_rate or at_once


def named_shapes(configuration: Configuration) -> dict[str, LoadTestShape]:
    """Return every shape that the configuration can name, for Locust."""
    shapes = {"stages": Stages(*configuration.stages), **FULL_SIZE}
    return {name: GateShape(shape) for name, shape in shapes.items()}
