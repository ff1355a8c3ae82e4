"""Load two sides in alternation: ``python -m benchmarks.children.tiers SIDES``, a JSON list of two.

A side is ``{"url", "is_numbered", "pids": {"nginx": …, "service": …}}``.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import psutil
from locust import FastHttpUser, task

from benchmarks.children.accuracy import NobodyWatches
from benchmarks.tiers import BURST_S, BURSTS, USERS
from tailgate.engine import make_plan, run_load
from tailgate.model import Stage


class Reader(FastHttpUser):
    """Reads a part of the catalogue again and again, without a pause."""

    @task
    def read(self) -> None:
        """Send one request."""
        self.client.get("/products?category=Books", name="Search_By_Category")


def measure(sides: Sequence[Mapping[str, Any]]) -> list[dict[str, float]]:
    """Return of each side µs of processor time for one request, by process, and how many requests were answered."""
    used_s: list[Counter[str]] = [Counter() for _ in sides]
    requests = [0 for _ in sides]
    for burst in range(BURSTS):
        for index in (0, 1) if burst % 2 == 0 else (1, 0):
            before_s = _cpu_s(sides[index]["pids"])
            count, generator_s = _load(sides[index])
            requests[index] += count
            used_s[index].update({**_cpu_s(sides[index]["pids"]), "generator": generator_s})
            used_s[index].subtract(before_s)
    return [
        {name: 1e6 * seconds / count for name, seconds in used.items()} | {"requests": count}
        for used, count in zip(used_s, requests, strict=True)
    ]


def _load(side: Mapping[str, Any]) -> tuple[int, float]:
    """Return how many requests were answered, and this process's processor seconds while they were sent."""
    stages = [Stage(name="hold", duration_s=BURST_S, users=USERS)]
    plan = make_plan(Reader, shape=stages, host=side["url"], is_numbered=side["is_numbered"])
    run = run_load(plan, test="benchmark", scenario="benchmark", warmup_s=0, monitor=NobodyWatches())
    assert run.samples.failures == 0
    assert run.generator.cpu_us_per_request is not None
    return len(run.samples), 1e-6 * run.generator.cpu_us_per_request * len(run.samples)


def _cpu_s(pids: Mapping[str, int]) -> dict[str, float]:
    """Return the processor seconds that each server has used so far."""
    servers = {name: [psutil.Process(pid), *psutil.Process(pid).children()] for name, pid in pids.items()}
    return {name: sum(map(_of_process, each)) for name, each in servers.items()}


def _of_process(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


if __name__ == "__main__":
    print(json.dumps(measure(json.loads(sys.argv[1]))))
