"""Buckets of three significant digits, beside exact percentiles."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tailgate.distributions import BUCKETS, ERROR_RATIO, CountedLatencies, buckets_of, first_bucket_beyond, middles_ms
from tailgate.percentiles import NoSamples, percentile

LATENCIES = st.floats(0.001, 1e7)
"""From a microsecond to three hours, in ms."""


def counted(*latencies_ms):
    values = np.array(latencies_ms, dtype=np.float64)
    return CountedLatencies(
        counts=np.bincount(buckets_of(values), minlength=BUCKETS),
        sum_ms=float(values.sum()),
        longest_ms=float(values.max(initial=0.0)),
    )


@given(LATENCIES)
@example(1.0)
@example(2.0)
@example(1023.5)
@example(1 + 2**-11)
def test_a_bucket_stands_for_its_latencies_to_a_twentieth_of_a_percent(latency_ms):
    (middle_ms,) = middles_ms(buckets_of(np.array([latency_ms])))

    # Beyond the error of the bucket there is that of a 32-bit float, 2**-24.
    assert abs(middle_ms - latency_ms) <= (ERROR_RATIO + 2**-24) * latency_ms


def test_three_digits_of_a_latency_are_kept():
    latencies_ms = np.array([f * 10.0**e for f in (1.0, 1.23, 4.56, 9.99) for e in range(-2, 6)])

    assert [f"{ms:.3g}" for ms in middles_ms(buckets_of(latencies_ms))] == [f"{ms:.3g}" for ms in latencies_ms]


@given(st.lists(LATENCIES, min_size=1, max_size=200), st.integers(1, 999))
def test_a_percentile_of_a_histogram_is_the_exact_one_to_a_twentieth_of_a_percent(latencies_ms, per_mille):
    q = Fraction(per_mille, 1000)
    exact = percentile(np.array(latencies_ms), q)

    assert counted(*latencies_ms).percentile(q) == pytest.approx(exact, rel=1.001 * ERROR_RATIO)


@given(st.lists(LATENCIES, min_size=1, max_size=200), st.integers(1, 999))
def test_the_rank_of_a_percentile_is_that_of_numpy(latencies_ms, per_mille):
    # Of the middles themselves, so that nothing but the rank can differ.
    middles = middles_ms(buckets_of(np.array(latencies_ms)))
    theirs = np.quantile(middles, per_mille / 1000, method="inverted_cdf")
    n = len(middles)
    if abs(per_mille * n / 1000 - round(per_mille * n / 1000)) < 1e-9:
        return  # NumPy computes the rank in floats.

    assert counted(*middles).percentile(Fraction(per_mille, 1000)) == theirs


@given(st.lists(LATENCIES, min_size=1, max_size=50))
def test_no_percentile_is_longer_than_the_longest(latencies_ms):
    assert counted(*latencies_ms).percentile(Fraction(1)) <= max(latencies_ms)


def test_mean_and_longest_are_exact():
    latencies = counted(1.00001, 2.00002, 6.00003)

    assert (latencies.count, latencies.max_ms) == (3, 6.00003)
    assert latencies.mean_ms == pytest.approx(3.00002, rel=1e-12)


def test_a_percentile_of_nothing_does_not_exist():
    with pytest.raises(NoSamples):
        counted().percentile(Fraction(1, 2))


def test_what_no_clock_measures_lands_in_the_outermost_buckets():
    buckets = buckets_of(np.array([-5.0, 0.0, 1e-9, 1e30, np.inf]))

    assert middles_ms(buckets[:3]).tolist() == [0, 0, 0]
    assert middles_ms(buckets[3:]).tolist() == [2.0**39, 2.0**39]


def test_buckets_are_in_the_order_of_what_they_stand_for():
    assert (np.diff(middles_ms(np.arange(BUCKETS, dtype=np.uint16))) > 0).all()


@given(LATENCIES, LATENCIES)
def test_what_is_beyond_a_limit_is_told_by_the_bucket(latency_ms, limit_ms):
    bucket = buckets_of(np.array([latency_ms]))

    assert (bucket[0] >= first_bucket_beyond(limit_ms)) == (middles_ms(bucket)[0] > limit_ms)
