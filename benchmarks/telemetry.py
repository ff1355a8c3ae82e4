"""What telemetry costs a request, and what it does to the users' event loop."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from benchmarks.processes import AFTER_5_MS, AT_ONCE, FOLDER, USERS, own_turn, run_child, static_server
from benchmarks.values import Figure, Table

BURST_S = 2.0
BURSTS = 6
"""On each side. Short and many, so that both sides see the same states of the machine."""
MOST_RATIO = 1.05


def measure(rounds: int) -> list[Table]:
    """Load in alternation with telemetry and without, at a usual load and at all that can be sent."""
    paths = {AFTER_5_MS: "nginx that answers after 5 ms", AT_ONCE: "nginx that answers at once"}
    with static_server() as server, _collector() as endpoint:
        tables = []
        for path, what in paths.items():
            with own_turn():
                runs = [run_child("telemetry", endpoint, server.url, path) for _ in range(rounds)]
            tables.append(_table(runs, what))
        return tables


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


def _table(runs: Sequence[Sequence[dict[str, float]]], what: str) -> Table:
    def figure(title: str, name: str, unit: str, most_ratio: float | None = None) -> Figure:
        ours, theirs = (tuple(run[side][name] for run in runs) for side in (0, 1))
        return Figure(what=title, unit=unit, ours=ours, theirs=theirs, most_ratio=most_ratio)

    return Table(
        title=f"{USERS} FastHttpUsers without wait time, {what}, {len(runs)} rounds of {BURSTS} bursts of "
        f"{BURST_S:g} s on each side in alternation",
        ours="with telemetry",
        theirs="without",
        figures=(
            figure("processor time a request", "cpu_us", "µs", MOST_RATIO),
            figure("loop lag, p99", "loop_lag_p99_ms", "ms"),
            figure("requests", "requests", ""),
            figure("spans", "spans", ""),
        ),
        notes=(
            "Default sampling, by gRPC to a receiver in a process of its own. What is exported after a burst counts.",
        ),
    )
