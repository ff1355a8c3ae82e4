"""The load test that stands for tailgate beside other generators."""

import os

import pytest
from askers import LeanAsker

from tailgate import Load, Stage, Stages


@pytest.mark.perf
def test_ask(load: Load) -> None:
    """Send as much as can be sent, and write the percentiles of all requests."""
    shape = Stages(
        Stage(name="hold", users=int(os.environ["BENCHMARK_USERS"]), duration_s=float(os.environ["BENCHMARK_RUN_S"]))
    )
    run = load(LeanAsker, shape=shape, host=os.environ["BENCHMARK_HOST"])
    assert run.total.failures == 0
    print("\nREPORTED", run.total.p50_ms, run.total.p95_ms, run.total.p99_ms)
