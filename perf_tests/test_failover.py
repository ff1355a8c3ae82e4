"""Fail-over: one of two instances is killed under load and comes back."""

from __future__ import annotations

import pytest

from perf_tests.users import Shopper
from tailgate import Load, Stage, Stages
from tailgate.stack import Stack

VICTIM = "product-service-1"


@pytest.mark.perf
def test_failover(load: Load, stack: Stack) -> None:
    """The other instance takes over, the books balance, and after the restart all is as before."""
    if stack.is_external:
        pytest.skip("somebody else runs this stack; nothing in it is ours to kill")
    shape = Stages(
        Stage(name="normal", duration_s=5, users=8, spawn_rate=10),
        Stage(name="outage", duration_s=5, users=8),
        Stage(name="return", duration_s=5, users=8),
        Stage(name="recovery", duration_s=5, users=8),
    )
    try:
        load(
            [Shopper],
            shape=shape,
            at_stage={"outage": lambda: stack.kill(VICTIM), "return": lambda: stack.start(VICTIM).wait_ready()},
        ).check()
    finally:
        stack.start(VICTIM).wait_ready()  # the tests that follow want both, also after a run that was cut short
