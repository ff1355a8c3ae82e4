"""Record samples, finish the log and judge them: ``python -m benchmarks.children.memory COUNT``."""

from __future__ import annotations

import json
import math
import random
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import psutil

from tailgate.judge import judge_run
from tailgate.model import GeneratorHealth, Scenario, Stage, Threshold
from tailgate.run import RunResult
from tailgate.samples import Measured, SampleLog

RUN_S, RAMP_S, WARMUP_S = 60.0, 10.0, 2.0
NAMES = tuple(f"Request_{number}" for number in range(7))
NO_LIMIT = 1e9


def measure(samples_count: int) -> dict[str, float]:
    """Record samples, finish the log and judge them; say what each step took."""
    base_bytes = psutil.Process().memory_info().rss
    log = SampleLog(most_exact=math.inf)
    _record(log, samples_count)
    recorded_bytes = psutil.Process().memory_info().rss - base_bytes
    recorded_peak_bytes = peak_bytes()
    samples, finish_ms = timed(log.finish)
    finished_peak_bytes = peak_bytes()
    judged, judge_ms = timed(lambda: judge_run(run_of(samples, RUN_S), scenario()))
    assert judged.total.samples > 0
    return {
        "recorded_bytes": recorded_bytes,
        "recorded_peak_bytes": recorded_peak_bytes,
        "finished_peak_bytes": finished_peak_bytes,
        "judged_peak_bytes": peak_bytes(),
        "finish_ms": finish_ms,
        "judge_ms": judge_ms,
    }


def _record(log: SampleLog, count: int) -> None:
    """Add samples of a run of ``RUN_S`` seconds in the order in which ten users would have ended them."""
    source = random.Random(20260101)
    latencies_ms = [source.lognormvariate(1.6, 0.5) for _ in range(4099)]
    add, step_s = log.add, RUN_S / count
    for number in range(count):
        latency_ms = latencies_ms[number % 4099]
        add("GET", NAMES[number % 7], number * step_s - latency_ms / 1000, latency_ms, number % 100 == 0)


def run_of(samples: Measured, duration_s: float) -> RunResult:
    """Return a run of that length whose requests they are."""
    health = {"loop_lag_p50_ms": 0.1, "loop_lag_p99_ms": 1.0, "cpu_ratio": 0.5, "cpu_us_per_request": 100.0}
    return RunResult(
        test="benchmark",
        scenario="benchmark",
        host="http://127.0.0.1",
        started_at="2026-01-01T00:00:00+00:00",
        duration_s=duration_s,
        stages=(
            Stage(name="ramp_up", duration_s=RAMP_S, users=10, spawn_rate=1),
            Stage(name="hold", duration_s=duration_s - RAMP_S, users=10),
        ),
        users_reached=(10, 10),
        samples=samples,
        warmup_s=WARMUP_S,
        errors=(),
        counters={},
        generator=GeneratorHealth(**health, host_cpu_ratio=0.5, steal_ratio=0.0),
    )


def scenario() -> Scenario:
    """Return 20 limits: 4 on the whole, 2 on each request, 2 on a stage."""
    metrics = ("p50_ms", "p95_ms", "p99_ms", "failure_ratio")
    limits = [Threshold(kind="total", subject="total", metric=metric, max=NO_LIMIT) for metric in metrics]
    limits += [
        Threshold(kind="request", subject=f"GET {name}", metric=metric, max=NO_LIMIT)
        for name in NAMES
        for metric in ("p95_ms", "p99_ms")
    ]
    limits += [
        Threshold(kind="total", subject="total", metric=metric, stage="hold", max=NO_LIMIT)
        for metric in ("p95_ms", "throughput_rps")
    ]
    return Scenario(name="benchmark", thresholds=tuple(limits), warmup_s=WARMUP_S)


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """Return what ``call`` returns, and how many milliseconds it took."""
    began_s = time.perf_counter()
    result = call()
    return result, 1000 * (time.perf_counter() - began_s)


def peak_bytes() -> int:
    """Return the most memory that this process has had."""
    kib_or_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kib_or_bytes if sys.platform == "darwin" else 1024 * kib_or_bytes


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
