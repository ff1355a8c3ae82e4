"""Percentiles of the same latencies in three ways: ``python -m benchmarks.children.accuracy URL RUN_S``."""

from __future__ import annotations

import json
import math
import sys
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import locust
from locust import FastHttpUser, constant, task
from locust.stats import RequestStats

from benchmarks.answering import ANSWER_MS
from tailgate.engine import make_plan, run_load
from tailgate.model import Stage
from tailgate.run import RunResult
from tailgate.windows import summarise

USERS = {1: 1, 4: 1, 8: 1, 113: 5, 1050: 40}
"""By answer time: as many as bring a few hundred samples of each in ten seconds."""
PAUSE_S = 0.02
"""Keeps the quick ones from making the generator busy, which would lengthen every latency."""


def measure(url: str, run_s: float) -> list[dict[str, Any]]:
    """Load a server with known answer times, and compute percentiles of the same latencies in three ways."""
    latencies_ms: defaultdict[str, list[float]] = defaultdict(list)
    run = _load_answering_server(url, run_s, latencies_ms)
    locust_stats: Any = RequestStats()
    for name, values in latencies_ms.items():
        for value in values:
            locust_stats.log_request("GET", name, value, 0)
    results = []
    for answer_ms in ANSWER_MS:
        name = f"{answer_ms:g}"
        exact = sorted(latencies_ms[name])
        ours = summarise(run.samples.of_key(f"GET {name}"), run.duration_s)
        entry = locust_stats.get(name, "GET")
        assert ours.samples == len(exact) == entry.num_requests
        for q, our_ms in ((0.5, ours.p50_ms), (0.95, ours.p95_ms), (0.99, ours.p99_ms)):
            exact_ms = exact[math.ceil(round(q * len(exact), 6)) - 1]
            locust_ms = entry.get_response_time_percentile(q)
            row = {"answer_ms": answer_ms, "q": q, "samples": len(exact), "exact_ms": exact_ms}
            results.append({**row, "tailgate_ms": our_ms, "locust_ms": locust_ms})
    return results


def _load_answering_server(url: str, run_s: float, latencies_ms: Mapping[str, list[float]]) -> RunResult:
    def note(name: str, response_time: float, **_: Any) -> None:
        latencies_ms[name].append(response_time)

    locust.events.request.add_listener(note)
    classes = [_user_class(answer_ms) for answer_ms in ANSWER_MS]
    stages = [Stage(name="hold", duration_s=run_s, users=sum(cls.fixed_count for cls in classes))]
    plan = make_plan(classes, shape=stages, host=url)
    return run_load(plan, test="benchmark", scenario="benchmark", warmup_s=0, monitor=NobodyWatches())


def _user_class(answer_ms: int) -> Any:
    class Asker(FastHttpUser):
        fixed_count = USERS[answer_ms]
        wait_time = constant(PAUSE_S)

        @task
        def ask(self) -> None:
            self.client.get(f"/{answer_ms}", name=f"{answer_ms}")

    Asker.__name__ = f"Asker{answer_ms}"
    return Asker


class NobodyWatches:
    """A monitor that lets a run go its way."""

    def on_progress(self, live: object) -> str:
        """End nothing."""
        del live
        return ""

    def on_stage_begin(self, stage: str) -> None:
        """Take no note."""

    def on_stage_end(self, stage: str, so_far: object) -> bool:
        """Go on."""
        del stage, so_far
        return True


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], float(sys.argv[2]))))
