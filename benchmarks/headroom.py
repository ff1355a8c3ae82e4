"""Measure how often noise alone breaks a limit, by the room it leaves: ``python -m benchmarks.headroom [--streams N]``.

Each row draws seeded streams of requests of one unchanged build (``tests/unit/duet_streams.py``) and judges their p95
by limits that are so many times the usual p95, the median over all streams. The last column is how often the interval
beside a check claims that a limit is broken which is the p95 of all streams together.
"""

from __future__ import annotations

import argparse
from fractions import Fraction

import numpy as np

from tailgate.compare import exceed_verdict
from tailgate.model import Outcome
from tests.unit.duet_streams import CI, HOSTILE, QUIET, Noise, stream

_RATIOS = (1.1, 1.25, 1.5, 2.0)
_RATE_RPS = 100.0
_Q = Fraction(95, 100)
_NOISES = {"quiet": QUIET, "ci": CI, "hostile": HOSTILE}


def measure(noise: Noise, *, duration_s: float, streams: int) -> tuple[list[float], float]:
    """Return the percentage of streams that break each limit, and of those of which a break is wrongly claimed."""
    drawn = [stream(seed, noise, duration_s=duration_s, rate_rps=_RATE_RPS) for seed in range(streams)]
    p95 = np.array([np.quantile(one.base.latency_ms, float(_Q)) for one in drawn])
    broken = [100 * float(np.mean(p95 > ratio * np.median(p95))) for ratio in _RATIOS]
    true_ms = float(np.quantile(np.concatenate([one.base.latency_ms for one in drawn]), float(_Q)))
    claims = [exceed_verdict(one.base, limit_ms=true_ms, q=_Q, rounds=one.rounds).outcome for one in drawn]
    return broken, 100 * claims.count(Outcome.REGRESSED) / streams


def main() -> None:
    """Print one row for each noise and length, as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=400)
    streams = parser.parse_args().streams
    print(f"| run | {' | '.join(f'{ratio:g} times, %' for ratio in _RATIOS)} | called clearly broken at 1, % |")
    print(f"|---|{'---:|' * (len(_RATIOS) + 1)}")
    for name, noise in _NOISES.items():
        for duration_s in (10.0, 30.0):
            broken, claimed = measure(noise, duration_s=duration_s, streams=streams)
            cells = " | ".join(f"{percent:.1f}" for percent in (*broken, claimed))
            print(f"| {name}, {duration_s:g} s | {cells} |")


if __name__ == "__main__":
    main()
