"""How far reported percentiles are from the exact ones of the same latencies."""

from __future__ import annotations

import sys
from typing import Any

from benchmarks.answering import ANSWER_MS
from benchmarks.processes import FOLDER, own_turn, run_child
from benchmarks.values import Figure, Table
from tailgate.stack import Process, Sandbox, http_answers

RUN_S = 10.0


def measure(rounds: int) -> list[Table]:
    """Load the answering server once; the errors are arithmetic, more rounds would only repeat them."""
    del rounds
    with Sandbox() as sandbox, _answering_server(sandbox) as server, own_turn():
        rows = run_child("accuracy", f"http://{server.wait_ready().address}", RUN_S)
    counts = ", ".join(f"{row['samples']:,}" for row in rows if row["q"] == 0.5)
    table = Table(
        title=f"Error of percentiles against the exact ones of the same latencies, answers of {_list(ANSWER_MS)} ms",
        theirs="Locust's statistics",
        has_ratios=False,
        figures=tuple(map(_figure, rows)),
        notes=(
            f"Samples: {counts}. Exact: the ceil(q n)-th smallest of all latencies as Locust's client measured them.",
        ),
    )
    return [table]


def _figure(row: dict[str, Any]) -> Figure:
    exact_ms = row["exact_ms"]
    what = f"{row['answer_ms']:,} ms: p{100 * row['q']:.0f} of {exact_ms:,.3f} ms"
    return Figure(
        what=what,
        unit="%",
        ours=(100 * (row["tailgate_ms"] / exact_ms - 1),),
        theirs=(100 * (row["locust_ms"] / exact_ms - 1),),
    )


def _answering_server(sandbox: Sandbox) -> Process:
    port = sandbox.port()
    return Process(
        sandbox,
        "answering",
        [sys.executable, "-m", "benchmarks.answering", str(port)],
        cwd=FOLDER.parent,
        port=port,
        ready=http_answers(f"http://127.0.0.1:{port}/0"),
    )


def _list(numbers: tuple[int, ...]) -> str:
    return ", ".join(f"{number:,}" for number in numbers[:-1]) + f" and {numbers[-1]:,}"
