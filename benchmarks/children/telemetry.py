"""Load with telemetry and without in alternation: ``python -m benchmarks.children.telemetry ENDPOINT HOST PATH``."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from dataclasses import replace
from statistics import median

from locust import FastHttpUser, task

from benchmarks.children.accuracy import NobodyWatches
from benchmarks.processes import USERS
from benchmarks.telemetry import BURST_S, BURSTS
from tailgate.engine import LoadPlan, make_plan, run_load
from tailgate.model import Stage
from tailgate.telemetry.delivery import Delivery
from tailgate.telemetry.opening import open_delivery
from tailgate.telemetry.recording import RunIdentity, RunTracer
from tailgate.telemetry.settings import ENDPOINT, TelemetrySettings, read_settings

DRAIN_S = 0.2
"""The thread that exports needs less to be done with a burst."""


class Reader(FastHttpUser):
    """Asks for the same small answer again and again, without a pause."""

    @task
    def read(self) -> None:
        """Send one request."""
        self.client.get(sys.argv[3], name="Get_Answer")


def measure(endpoint: str, host: str) -> list[dict[str, float]]:
    """Return µs of processor time a request, loop lag and counts, with telemetry and without."""
    os.environ[ENDPOINT] = endpoint
    settings = read_settings(os.environ, is_asked=True)
    assert settings is not None
    delivery = open_delivery(settings, {})
    plan = make_plan(Reader, shape=[Stage(name="hold", duration_s=BURST_S, users=USERS)], host=host)
    _load(plan, _tracer(settings, delivery))  # what happens for the first time takes longer
    used_s, requests = Counter[bool](), Counter[bool]()
    lags_ms: dict[bool, list[float]] = {True: [], False: []}
    for burst in range(BURSTS):
        for is_traced in (True, False) if burst % 2 == 0 else (False, True):
            tracer = _tracer(settings, delivery) if is_traced else None
            count, seconds, lag_ms = _load(plan, tracer)
            requests[is_traced] += count
            used_s[is_traced] += seconds  # type: ignore[assignment] # a sum, of seconds
            lags_ms[is_traced].append(lag_ms)
    delivered = delivery.close()
    assert not delivered.lost, delivered.reason
    return [
        {
            "cpu_us": 1e6 * used_s[is_traced] / requests[is_traced],
            "loop_lag_p99_ms": median(lags_ms[is_traced]),
            "requests": requests[is_traced],
            "spans": delivered.sent if is_traced else 0,
        }
        for is_traced in (True, False)
    ]


def _tracer(settings: TelemetrySettings, delivery: Delivery) -> RunTracer:
    run = RunIdentity(
        test="benchmark", scenario="benchmark", host="http://127.0.0.1", trace_id=1, test_span_id=1, began=time.time()
    )
    return RunTracer(run, settings.sample_ratio, delivery.put, put_every_s=settings.spans_every_s)


def _load(plan: LoadPlan, tracer: RunTracer | None) -> tuple[int, float, float]:
    """Return requests, this process's processor seconds while they were sent and exported, and loop lag in ms."""
    run = run_load(
        replace(plan, tracer=tracer), test="benchmark", scenario="benchmark", warmup_s=0, monitor=NobodyWatches()
    )
    assert run.generator.cpu_us_per_request is not None
    sending_s = 1e-6 * run.generator.cpu_us_per_request * len(run.samples)
    began_s = time.process_time()
    if tracer is not None:
        tracer.end({})
    time.sleep(DRAIN_S)
    return len(run.samples), sending_s + time.process_time() - began_s, run.generator.loop_lag_p99_ms


if __name__ == "__main__":
    print(json.dumps(measure(*sys.argv[1:3])))
