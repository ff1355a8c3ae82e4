"""What telemetry costs a request, and what it does to the event loop: the same load test with and without it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.processes import (
    AFTER_5_MS,
    AT_ONCE,
    FOLDER,
    USERS,
    StaticServer,
    static_server,
    tailgate_command,
    watch_generator,
)
from benchmarks.values import Figure, Table

RUN_S = 4.0
SETTLE_S = 0.5
TAIL_S = 0.3
MOST_RATIO = 1.05


def measure(rounds: int) -> list[Table]:
    """Measure with the sampling that is the default, at a usual load and at all that can be sent."""
    with static_server() as server, _collector() as endpoint:
        return [
            _table(server, endpoint, AFTER_5_MS, "nginx that answers after 5 ms", rounds),
            _table(server, endpoint, AT_ONCE, "nginx that answers at once", rounds),
        ]


@contextmanager
def _collector() -> Iterator[str]:
    """Run a receiver in a process of its own and yield its address."""
    command = [sys.executable, "-m", "benchmarks.children.collector"]
    with subprocess.Popen(
        command, cwd=FOLDER.parent, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.communicate()


def _table(server: StaticServer, endpoint: str, path: str, what: str, rounds: int) -> Table:
    """Run both in turns; the order is reversed in every second round."""
    variables = {"with": f"OTEL_EXPORTER_OTLP_ENDPOINT={endpoint}", "without": "OTEL_SDK_DISABLED=true"}
    cost_us: dict[str, list[float]] = {side: [] for side in variables}
    lag_ms: dict[str, list[float]] = {side: [] for side in variables}
    for number in range(rounds):
        for side in list(variables)[:: 1 if number % 2 == 0 else -1]:
            cost, lag = _run(server, variables[side], path)
            cost_us[side].append(cost)
            lag_ms[side].append(lag)
    return Table(
        title=f"{USERS} FastHttpUsers without wait time, {what}, {rounds} rounds of {RUN_S:g} s",
        ours="with telemetry",
        theirs="without",
        figures=(
            Figure(
                what="processor time a request",
                unit="µs",
                ours=tuple(cost_us["with"]),
                theirs=tuple(cost_us["without"]),
                most_ratio=MOST_RATIO,
            ),
            Figure(what="loop lag, p99", unit="ms", ours=tuple(lag_ms["with"]), theirs=tuple(lag_ms["without"])),
        ),
        notes=("Default sampling, by gRPC to a receiver in a process of its own. Processor time as in `overhead`.",),
    )


def _run(server: StaticServer, variable: str, path: str) -> tuple[float, float]:
    """Return processor time in µs a request, and the p99 of the loop lag in ms, of one run."""
    with tempfile.TemporaryDirectory(prefix="tailgate-bench-") as folder:
        report = Path(folder) / "report.json"
        command = ["env", variable, *tailgate_command(), f"--perf-json={report}"]
        cost_us, _ = watch_generator(command, server, RUN_S, path).steady(settle_s=SETTLE_S, tail_s=TAIL_S)
        (run,) = json.loads(report.read_text(encoding="utf-8"))["runs"]
    return cost_us, run["generator"]["loop_lag_p99_ms"]
