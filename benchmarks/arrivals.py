"""How well tasks are started at a rate: the rate that was sent, how late, and whether in herds."""

from __future__ import annotations

from typing import Any

from benchmarks.processes import AFTER_5_MS, own_turn, run_child, static_server
from benchmarks.values import Figure, Table

RATES_RPS = (100, 600)
RUN_S = 6.0


def measure(rounds: int) -> list[Table]:
    """Send tasks at each rate to a server that answers after 5 ms."""
    with static_server() as server:
        return [_table(rate_rps, [_run(server.url, rate_rps) for _ in range(rounds)]) for rate_rps in RATES_RPS]


def _run(url: str, rate_rps: int) -> dict[str, Any]:
    with own_turn():
        result: dict[str, Any] = run_child("arrivals", url, AFTER_5_MS, rate_rps, RUN_S)
    return result


def _table(rate_rps: int, runs: list[dict[str, Any]]) -> Table:
    def values(name: str) -> tuple[float, ...]:
        return tuple(float(run[name]) for run in runs)

    return Table(
        title=f"Arrivals at {rate_rps}/s, nginx that answers after 5 ms, {len(runs)} rounds of {RUN_S:g} s",
        figures=(
            Figure(what="tasks that were due", unit="/s", ours=values("due_rps")),
            Figure(what="tasks that were sent", unit="/s", ours=values("sent_rps")),
            Figure(what="send lag p99", unit="ms", ours=values("send_lag_p99_ms"), most=3),
            Figure(what="send lag p99, worst round", unit="ms", ours=(max(values("send_lag_p99_ms")),)),
            Figure(what="index of dispersion", unit="", ours=values("dispersion"), most=2),
            Figure(what="latency p50 from when due", unit="ms", ours=values("p50_ms")),
            Figure(what="latency p95 from when due", unit="ms", ours=values("p95_ms")),
            Figure(what="loop lag p99", unit="ms", ours=values("loop_lag_p99_ms")),
            Figure(what="processor time of one core", unit="%", ours=values("cpu_percent")),
        ),
    )
