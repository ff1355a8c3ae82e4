"""What samples cost: memory to keep them, time and memory to judge them."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.processes import run_child
from benchmarks.values import Figure, Table

MILLION = 1_000_000
_BYTES_PER_MB = 1e6


def measure(rounds: int) -> list[Table]:
    """Record and judge one million samples in each round, and ten million once."""
    return [
        _table("1 million samples", MILLION, [run_child("memory", MILLION) for _ in range(rounds)]),
        _table("10 million samples", 10 * MILLION, [run_child("memory", 10 * MILLION)], most_mb=400.0),
    ]


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
