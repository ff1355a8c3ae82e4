"""Record, seal and judge the requests of a soak at full speed: ``python -m benchmarks.children.soak COUNT SECONDS``."""

from __future__ import annotations

import json
import math
import sys
import time
from pathlib import Path
from statistics import NormalDist, median
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.children.memory import NAMES, peak_bytes, run_of, scenario, timed
from tailgate.engine.keeping import SEAL_EVERY_S
from tailgate.histograms import Histograms
from tailgate.journal import RunJournal
from tailgate.judge import judge_run
from tailgate.model import RequestSummary
from tailgate.recovered import read_session
from tailgate.run_state import render_limits
from tailgate.samples import SampleLog

MEDIAN_MS, SIGMA = 5.0, 0.5
_POOL = 100_003
"""Latencies that are dealt out again and again; a prime, so that each name gets all of them."""
_HEADER = {
    "test": "benchmark",
    "started_at": "2026-01-01T00:00:00+00:00",
    "is_stress": False,
    "is_duet": False,
    "fingerprint": {},
}


def measure(count: int, duration_s: float) -> dict[str, float]:
    """Record ``count`` requests of a run of ``duration_s``, sealed and kept as in a run; say what each step took."""
    latencies_ms = _latencies_ms()
    with TemporaryDirectory(dir=Path.cwd()) as directory:
        path = Path(directory) / "main-1.run"
        journal = RunJournal(path, {**_HEADER, "limits": render_limits(scenario())})
        log = SampleLog()
        seals_ms, record_s = _record(log, journal, latencies_ms, count=count, duration_s=duration_s)
        recorded_peak_bytes = peak_bytes()
        samples = log.finish()
        assert isinstance(samples, Histograms)
        judged, judge_ms = timed(lambda: judge_run(run_of(samples, duration_s), scenario()))
        judged_peak_bytes = peak_bytes()
        journal_bytes = path.stat().st_size
        session, recover_ms = timed(lambda: read_session(Path(directory)))
    (recovered,) = session.records
    assert recovered["total"]["samples"] == judged.total.samples
    return {
        "recorded_peak_bytes": recorded_peak_bytes,
        "judged_peak_bytes": judged_peak_bytes,
        "recovered_peak_bytes": peak_bytes(),
        "record_us": 1e6 * record_s / count,
        "p50_seal_ms": median(seals_ms),
        "p99_seal_ms": sorted(seals_ms)[math.ceil(0.99 * len(seals_ms)) - 1],
        "judge_ms": judge_ms,
        "recover_ms": recover_ms,
        "journal_bytes": journal_bytes,
        "samples": len(samples),
        "worst_error_ratio": max(_errors(judged.total, latencies_ms)),
    }


def _latencies_ms() -> list[float]:
    """Return the quantiles of a log-normal distribution at equal distances, shuffled: its percentiles are known."""
    source = np.random.default_rng(20260101)
    normal = NormalDist()
    ranks = (np.arange(_POOL) + 0.5) / _POOL
    grid = np.array([normal.inv_cdf(rank) for rank in ranks])
    latencies_ms = MEDIAN_MS * np.exp(SIGMA * grid)
    source.shuffle(latencies_ms)
    return [float(ms) for ms in latencies_ms]


def _record(
    log: SampleLog, journal: RunJournal, latencies_ms: list[float], *, count: int, duration_s: float
) -> tuple[list[float], float]:
    """Add the requests in the order in which users would have ended them; every hundredth fails."""
    add, step_s, pool = log.add, duration_s / count, len(latencies_ms)
    piece = max(1, round(SEAL_EVERY_S / step_s))
    so_far = run_of(SampleLog().finish(), duration_s)
    seals_ms, record_s = [], 0.0

    def seal() -> None:
        journal(log.pairs, log.seal(), so_far)

    for first in range(0, count, piece):
        began_s = time.perf_counter()
        for number in range(first, min(first + piece, count)):
            latency_ms = latencies_ms[number % pool]
            add("GET", NAMES[number % 7], number * step_s - latency_ms / 1000, latency_ms, number % 100 == 0)
        record_s += time.perf_counter() - began_s
        seals_ms.append(timed(seal)[1])
    journal.close()
    return seals_ms, record_s


def _errors(total: RequestSummary, latencies_ms: list[float]) -> list[float]:
    """Return how far the percentiles are from those of the distribution, as ratios."""
    ordered = sorted(latencies_ms)
    found = {0.5: total.p50_ms, 0.95: total.p95_ms, 0.99: total.p99_ms}
    return [abs(ms / ordered[math.ceil(q * len(ordered)) - 1] - 1) for q, ms in found.items()]


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]), float(sys.argv[2]))))
