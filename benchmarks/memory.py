"""What samples cost: memory to keep them, time and memory to judge them."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.processes import run_child
from benchmarks.values import Figure, Table

MILLION = 1_000_000
SOAK, SOAK_S = 29 * MILLION, 7200
_BYTES_PER_MB = 1e6


def measure(rounds: int) -> list[Table]:
    """Record and judge one million samples in each round, ten million once, and once the requests of a soak."""
    return [
        _table("1 million samples", MILLION, [run_child("memory", MILLION) for _ in range(rounds)]),
        _table("10 million samples", 10 * MILLION, [run_child("memory", 10 * MILLION)], most_mb=400.0),
        _soak(run_child("soak", SOAK, SOAK_S)),
    ]


def _soak(of: Mapping[str, float]) -> Table:
    def megabytes(name: str) -> tuple[float, ...]:
        return (of[name] / _BYTES_PER_MB,)

    return Table(
        title=f"{of['samples'] / MILLION:g} million samples of 2 hours at full speed, and their journal on disk",
        figures=(
            Figure(what="peak memory, recorded", unit="MB", ours=megabytes("recorded_peak_bytes"), most=500.0),
            Figure(what="peak memory, judged", unit="MB", ours=megabytes("judged_peak_bytes"), most=500.0),
            Figure(what="off from the true percentiles", unit="%", ours=(100 * of["worst_error_ratio"],), most=0.1),
            Figure(what="time to record a sample", unit="µs", ours=(of["record_us"],)),
            Figure(what="time to hand 2 s over, median", unit="ms", ours=(of["p50_seal_ms"],)),
            Figure(what="time to hand 2 s over, p99", unit="ms", ours=(of["p99_seal_ms"],)),
            Figure(what="journal on disk", unit="MB", ours=megabytes("journal_bytes")),
            Figure(what="time to judge", unit="ms", ours=(of["judge_ms"],)),
            Figure(what="time to recover it all", unit="ms", ours=(of["recover_ms"],)),
            Figure(what="peak memory, recovered", unit="MB", ours=megabytes("recovered_peak_bytes"), most=500.0),
        ),
        notes=("What is true is known from the distribution that the latencies are drawn from: p50, p95 and p99.",),
    )


def _table(title: str, samples: int, results: list[Mapping[str, float]], *, most_mb: float | None = None) -> Table:
    def of(name: str) -> tuple[float, ...]:
        return tuple(result[name] for result in results)

    def megabytes(name: str) -> tuple[float, ...]:
        return tuple(value / _BYTES_PER_MB for value in of(name))

    recorded = tuple(value / samples for value in of("recorded_bytes"))
    return Table(
        title=f"{title} of 7 request names, 1 % failures, and a scenario of 20 limits on them",
        figures=(
            Figure(what="memory a sample, recorded", unit="bytes", ours=recorded),
            Figure(what="peak memory, recorded", unit="MB", ours=megabytes("recorded_peak_bytes"), most=most_mb),
            Figure(what="peak memory, finished", unit="MB", ours=megabytes("finished_peak_bytes"), most=most_mb),
            Figure(what="peak memory, judged", unit="MB", ours=megabytes("judged_peak_bytes"), most=most_mb),
            Figure(what="time to finish", unit="ms", ours=of("finish_ms")),
            Figure(what="time to judge", unit="ms", ours=of("judge_ms")),
        ),
        notes=("Peak memory is that of the whole process, interpreter and NumPy included.",),
    )
