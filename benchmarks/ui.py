"""What ``--perf-ui`` costs a run: Locust's own statistics for every request, and the page that asks for them."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from typing import Any

from tailgate.engine import events, recorder, ui  # isort: skip # has Locust imported unpatched
from locust import FastHttpUser, task
from locust.env import Environment

REQUESTS = 50_000
ROUNDS = 7
NAMES = 8
POLL_S = 2.0
"""How often the page asks for the statistics; Locust answers from a cache until then."""
MEAN_MS = 20.0


class Nobody(FastHttpUser):
    """Never started."""

    @task
    def nothing(self) -> None:
        """Locust wants a task."""


def new_environment(*, keeps_statistics: bool) -> Environment:
    """Return an environment as a run has it."""
    own = events.RunEvents(recorder.Recorder())
    environment = Environment(user_classes=[Nobody], events=own.events, host="http://127.0.0.1")
    environment.create_local_runner()
    if not keeps_statistics:
        own.drop_statistics()
    return environment


def cost_us(environment: Environment) -> float:
    """Return the processor time that telling of one request takes."""
    fire: Callable[..., Any] = environment.events.request.fire
    told = [(f"/{random.randrange(NAMES)}", random.expovariate(1 / MEAN_MS)) for _ in range(REQUESTS)]
    began_s = time.process_time()
    for name, took_ms in told:
        fire(request_type="GET", name=name, response_time=took_ms, response_length=100, exception=None, start_time=1.0)
    return (time.process_time() - began_s) / REQUESTS * 1e6


def answers_ms(client: Any, path: str, pause_s: float) -> list[float]:
    """Return how long each answer took, during which no user would go on."""
    times_ms = []
    for _ in range(ROUNDS):
        time.sleep(pause_s)
        began_s = time.perf_counter()
        assert client.get(path).status_code == 200
        times_ms.append((time.perf_counter() - began_s) * 1000)
    return times_ms


def main() -> None:
    """Measure and print."""
    kept = new_environment(keeps_statistics=True)
    dropped = new_environment(keeps_statistics=False)
    more_us = [cost_us(kept) - cost_us(dropped) for _ in range(ROUNDS)]
    print(f"statistics: {statistics.median(more_us):.1f} us a request ({min(more_us):.1f} to {max(more_us):.1f})")
    shown = ui.RunUi(kept, 0, users=lambda: 1, counters=dict)
    app = shown.web_ui.app
    assert app is not None
    client = app.test_client()
    for what, path, pause_s in (("page opened", "/", 0.0), ("page asks", "/stats/requests", POLL_S * 1.1)):
        times_ms = answers_ms(client, path, pause_s)
        print(f"{what}: {statistics.median(times_ms):.1f} ms ({min(times_ms):.1f} to {max(times_ms):.1f})")


if __name__ == "__main__":
    main()
