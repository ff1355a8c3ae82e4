"""The load test that stands for tailgate in the benchmarks."""

import contextlib
import os

import pytest
from users import BusyUser

from tailgate import InvalidRun, Load, Stage, Stages


@pytest.mark.perf
def test_static(load: Load) -> None:
    """Send as much as can be sent."""
    shape = Stages(Stage(name="hold", users=10, duration_s=float(os.environ["BENCHMARK_RUN_S"])))
    run = load(BusyUser, shape=shape, host=os.environ["BENCHMARK_HOST"])
    # Users without a wait time keep the generator busy all the time, which a real verdict has to refuse.
    with contextlib.suppress(InvalidRun):
        run.check()
    assert run.total.samples > 0
    assert run.total.failures == 0
