"""What it costs to be told where requests spend their time: the generator, nginx and the service, with and without."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks.processes import FOLDER, BenchmarkError, own_turn, run_child
from benchmarks.values import Figure, Table
from tailgate.stack import Nginx, Postgres, Process, Sandbox, http_answers, wait_all_ready
from tailgate.stack.nginx import TEMPLATE

USERS = 6
BURST_S = 0.5
BURSTS = 16
"""On each side. Short and many, so that both sides see the same states of the machine."""
MOST_RATIO = 1.05
_LOGGED = ',"server_timing":"$upstream_http_server_timing"'


@dataclass(frozen=True, slots=True)
class Side:
    """An instance of the product service behind an nginx, and how they are asked."""

    nginx: Nginx
    service: Process
    is_told: bool
    """Whether requests carry numbers, the service tells of its time, and nginx writes that down."""

    def as_json(self) -> dict[str, Any]:
        """Return what the generator needs to know of it."""
        pids = {"nginx": self.nginx.pid, "service": self.service.pid}
        return {"url": self.nginx.url, "is_numbered": self.is_told, "pids": pids}


def measure(rounds: int) -> list[Table]:
    """Load both sides in alternation, by one generator a round."""
    runs, reading_us = [], []
    with _sides() as sides:
        for _ in range(rounds):
            tell = sides[0].nginx.locate()
            with own_turn():
                runs.append(run_child("tiers", json.dumps([side.as_json() for side in sides])))
            began_s = time.process_time()
            requests = sum(1 for _ in tell(None))
            reading_us.append(1e6 * (time.process_time() - began_s) / requests)
    return [_table(runs, tuple(reading_us))]


def _table(runs: list[list[dict[str, float]]], reading_us: tuple[float, ...]) -> Table:
    def figure(what: str, name: str, unit: str = "µs", most_ratio: float | None = MOST_RATIO) -> Figure:
        ours, theirs = (tuple(float(run[side][name]) for run in runs) for side in (0, 1))
        return Figure(what=what, unit=unit, ours=ours, theirs=theirs, most_ratio=most_ratio)

    return Table(
        title=f"{USERS} FastHttpUsers without wait time, the product service's catalogue, {len(runs)} rounds of "
        f"{BURSTS} bursts of {BURST_S:g} s on each side in alternation",
        ours="told",
        theirs="not told",
        figures=(
            figure("processor time a request, generator", "generator"),
            figure("- nginx", "nginx"),
            figure("- service", "service"),
            figure("requests", "requests", unit="", most_ratio=None),
            Figure(what="reading the log afterwards, a request", unit="µs", ours=reading_us),
        ),
        notes=("Told: requests carry a number, the service answers with Server-Timing, nginx writes both down.",),
    )


@contextmanager
def _sides() -> Iterator[tuple[Side, Side]]:
    with Sandbox() as sandbox, Postgres(sandbox) as postgres:
        bare = sandbox.directory / "bare.conf"
        template = TEMPLATE.read_text(encoding="utf-8")
        if _LOGGED not in template:
            raise BenchmarkError(f"{TEMPLATE}: has no {_LOGGED}")
        bare.write_text(template.replace(_LOGGED, ',"server_timing":""'), encoding="utf-8")
        services = [
            _service(sandbox, postgres, name, module)
            for name, module in (("told", "product_service"), ("untold", "benchmarks.children.untimed"))
        ]
        proxies = [
            Nginx(sandbox, [service], name=f"nginx-{service.name}", health_path="/health", template=path).start()
            for service, path in zip(services, (TEMPLATE, bare), strict=True)
        ]
        wait_all_ready([postgres, *services, *proxies])
        yield Side(proxies[0], services[0], is_told=True), Side(proxies[1], services[1], is_told=False)


def _service(sandbox: Sandbox, postgres: Postgres, name: str, module: str) -> Process:
    port = sandbox.port()
    env = {
        "PYTHONPATH": str(FOLDER.parent),
        "PRODUCT_SERVICE_DATABASE_URL": postgres.dsn,
        "PRODUCT_SERVICE_PORT": str(port),
        "PRODUCT_SERVICE_INSTANCE": name,
    }
    ready = http_answers(f"http://127.0.0.1:{port}/health")
    return Process(sandbox, name, [sys.executable, "-m", module], env=env, port=port, ready=ready).start()
