"""How often comparisons are right, on few seeded streams; benchmarks/duet_rates.py does it with 400 a row.

A limit of p per cent is widened by three binomial errors of the number of streams, sqrt(p * (1 - p) / N), so that a
method that just keeps the limit fails here once in about a thousand.
"""

import math
from dataclasses import replace

import numpy as np
import pytest

from tailgate.compare import CompareSettings
from tests.unit.duet_streams import (
    CI,
    HOSTILE,
    RATE_RPS,
    count_outcomes,
    judge,
    judge_as_it_grows,
    slow_path,
    slower_by,
    stalls,
    stream,
)

STREAMS = 45
USUAL = CompareSettings(looks=1, fail_from_round=1)
TIGHT = replace(USUAL, max_change_ratio=0.05)


def most(percent):
    share = percent / 100
    return STREAMS * share + 3 * math.sqrt(STREAMS * share * (1 - share))


def least(percent):
    return STREAMS - most(100 - percent)


def outcomes(settings, noise=CI, *, duration_s=30, spoil=None):
    streams = (stream(seed, noise, duration_s=duration_s, spoil=spoil) for seed in range(STREAMS))
    return count_outcomes(judge(one, settings) for one in streams)


@pytest.mark.parametrize(("noise", "slower"), [(CI, 7.5), (HOSTILE, 8.5)], ids=["ci", "hostile"])
def test_the_same_build_is_rarely_called_slower_and_hardly_ever_failed(noise, slower):
    counts = outcomes(TIGHT, noise)
    assert counts["slower"] <= most(slower)
    assert counts["FAIL"] <= most(1)
    assert counts["improved"] <= most(5)


def test_at_the_limit_itself_both_errors_are_rare():
    counts = outcomes(USUAL, spoil=slower_by(1.1))
    assert counts["PASS"] <= most(8)
    assert counts["FAIL"] <= most(8)


def test_the_same_build_passes_and_a_much_slower_one_fails():
    assert outcomes(USUAL)["PASS"] >= least(95)
    assert outcomes(USUAL, spoil=slower_by(1.2))["FAIL"] >= least(85)


@pytest.mark.parametrize(
    ("spoil", "failed"),
    [
        (stalls(length_s=0.4, every_s=5), 90),
        (stalls(length_s=0.9, every_s=10), 60),
        (slow_path(share=0.08, extra_ms=40), 99),
    ],
    ids=["400 ms every 5 s", "900 ms every 10 s", "8 % of requests"],
)
def test_slowdowns_of_few_requests_are_found(spoil, failed):
    counts = outcomes(TIGHT, duration_s=60, spoil=spoil)
    assert counts["FAIL"] >= least(failed)
    assert counts["PASS"] <= most(1)


def test_a_floor_that_is_known_allows_for_processes_that_differ():
    counts = outcomes(replace(TIGHT, noise_floor_ratio=0.0283), CI.with_process_sd(0.02))
    assert counts["slower"] <= most(7.5)


def test_growing_duets_of_the_same_build_end_early_and_pass():
    streams = (stream(seed, CI, duration_s=30, rounds=4) for seed in range(20))
    counts = count_outcomes(judge_as_it_grows(one, CompareSettings()) for one in streams)
    assert counts["FAIL"] == 0
    assert counts["PASS"] >= 18
    assert counts["seconds"] <= 20 * 60


def test_streams_are_as_they_say():
    """Arrivals of 300/s as a Poisson process, with a p95 of about 45 ms, and the same for the same seed."""
    one = stream(3, CI, duration_s=60)
    assert len(one.base.scheduled_s) == pytest.approx(60 * RATE_RPS, abs=4 * math.sqrt(60 * RATE_RPS))
    gaps_s = np.diff(one.base.scheduled_s)
    assert np.std(gaps_s) == pytest.approx(np.mean(gaps_s), rel=0.05)
    assert np.quantile(one.base.latency_ms, 0.95) == pytest.approx(48, rel=0.2)
    again = stream(3, CI, duration_s=60)
    assert np.array_equal(one.candidate.latency_ms, again.candidate.latency_ms)
