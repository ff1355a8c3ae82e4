"""Time one request event: ``python -m benchmarks.children.recording ROUNDS``."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from locust.env import Environment

from tailgate.counters import Counters
from tailgate.engine.events import RunEvents
from tailgate.engine.recorder import Recorder

EVENTS = 100_000


def measure(rounds: int) -> dict[str, list[float]]:
    """Return µs per event of our hook, Locust's hook with its statistics, the recorder alone, and a counter alone."""
    recorder, counters = Recorder(), Counters()
    events = RunEvents(recorder).events
    locust_events = _locust_events()
    event = {
        "request_type": "GET",
        "name": "Get_All_Products",
        "response_length": 78,
        "exception": None,
        "context": {},
        "response_time": 3.1415926,
        "start_time": time.time(),
        "url": "http://127.0.0.1:8080/products",
        "response": None,
    }
    sides: dict[str, Callable[[], None]] = {
        "tailgate": lambda: events.request.fire(**event),
        "locust": lambda: locust_events.request.fire(**event),
        "recorder": lambda: recorder.record(event),
        "counter": lambda: counters.add("successful_purchases"),
        "nothing": lambda: None,
    }
    results: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, call in sides.items():
            results[name].append(_us_per_call(call))
    return {
        name: [us - nothing_us for us, nothing_us in zip(results[name], results["nothing"], strict=True)]
        for name in ("tailgate", "locust", "recorder", "counter")
    }


def _locust_events() -> Any:
    """Return the events of a Locust environment whose runner keeps its usual statistics."""
    environment = Environment()
    environment.create_local_runner()
    return environment.events


def _us_per_call(call: Callable[[], None]) -> float:
    began_s = time.perf_counter()
    for _ in range(EVENTS):
        call()
    return 1e6 * (time.perf_counter() - began_s) / EVENTS


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
