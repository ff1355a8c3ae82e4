"""One run at a rate: ``python -m benchmarks.children.arrivals URL PATH RATE_RPS RUN_S``."""

from __future__ import annotations

import json
import sys
from typing import Any

from locust import FastHttpUser, task

from benchmarks.children.accuracy import NobodyWatches
from tailgate import Arrivals
from tailgate.engine import make_plan, run_load


def measure(url: str, path: str, rate_rps: float, run_s: float) -> dict[str, Any]:
    """Send tasks of one request each, and return how well that went."""

    class Asker(FastHttpUser):
        @task
        def ask(self) -> None:
            self.client.get(path)

    plan = make_plan(Asker, shape=Arrivals(rate_rps=rate_rps, duration_s=run_s), host=url)
    run = run_load(plan, test="benchmark", scenario="benchmark", warmup_s=0, monitor=NobodyWatches())
    health = run.generator
    assert health.due is not None
    assert health.unsent is not None
    return {
        "due_rps": health.due / run_s,
        "sent_rps": (health.due - health.unsent) / run_s,
        "send_lag_p99_ms": health.send_lag_p99_ms,
        "dispersion": health.dispersion,
        "p50_ms": run.total.p50_ms,
        "p95_ms": run.total.p95_ms,
        "loop_lag_p99_ms": health.loop_lag_p99_ms,
        "cpu_percent": 100 * health.cpu_ratio,
    }


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4]))))
