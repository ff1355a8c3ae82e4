"""Percentiles by nearest rank."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailgate.percentiles import NoSamples, percentile, quantile_of, required_samples

LATENCIES = st.lists(st.floats(0, 1e6), min_size=1, max_size=25)
QUANTILES = st.integers(1, 1000).map(lambda thousandths: Fraction(thousandths, 1000))


def ms(*values):
    return np.array(values, dtype=np.float64)


@pytest.mark.parametrize(
    ("metric", "q"),
    [
        ("p50_ms", Fraction(1, 2)),
        ("p95_ms", Fraction(19, 20)),
        ("p5_ms", Fraction(1, 20)),
        ("p05_ms", Fraction(1, 20)),
        ("p99.9_ms", Fraction(999, 1000)),
        ("p99.999999_ms", Fraction(99_999_999, 100_000_000)),
    ],
)
def test_a_percentile_metric_names_its_exact_quantile(metric, q):
    assert quantile_of(metric) == q


@pytest.mark.parametrize(
    "metric", ["p0_ms", "p0.0_ms", "p100_ms", "p-5_ms", "p95", "P95_ms", "xp95_ms", "p95_ms ", "p_ms", "mean_ms", ""]
)
def test_anything_else_is_no_percentile_metric(metric):
    assert quantile_of(metric) is None


@pytest.mark.parametrize(
    ("q", "expected"),
    [("0.01", 10), ("0.2", 10), ("0.21", 20), ("0.5", 30), ("0.8", 40), ("0.81", 50), ("0.95", 50), ("1", 50)],
)
def test_a_percentile_is_the_smallest_that_enough_samples_do_not_exceed(q, expected):
    assert percentile(ms(50, 20, 40, 10, 30), Fraction(q)) == expected


def test_the_p95_of_a_hundred_is_the_95th_where_locust_takes_the_96th():
    assert percentile(ms(*range(1, 101)), Fraction(95, 100)) == 95
    assert percentile(ms(*range(1, 101)), Fraction(99, 100)) == 99


def test_a_whole_rank_is_not_pushed_up_by_binary_fractions():
    # In floats 0.07 * 100 is 7.000000000000001, of which the ceiling is 8.
    assert percentile(ms(*range(1, 101)), Fraction("0.07")) == 7


def test_a_percentile_of_one_sample_is_that_sample():
    assert percentile(ms(1_050), Fraction(1, 1000)) == 1_050


def test_latencies_are_not_rounded():
    assert percentile(ms(1_049.625), Fraction(1, 2)) == 1_049.625


def test_a_percentile_of_nothing_does_not_exist():
    with pytest.raises(NoSamples, match=r"^a percentile of no samples does not exist$"):
        percentile(ms(), Fraction(1, 2))


def test_the_array_that_was_asked_stays_as_it_was():
    latencies = ms(3, 1, 2)

    percentile(latencies, Fraction(1, 2))

    assert latencies.tolist() == [3, 1, 2]


@given(LATENCIES, st.integers(1, 127))
def test_numpys_inverted_cdf_agrees(latencies, n):
    # 128ths are exact in floats too, so that both are asked the same question.
    q = Fraction(n, 128)

    assert percentile(ms(*latencies), q) == np.quantile(ms(*latencies), float(q), method="inverted_cdf")


@given(LATENCIES, QUANTILES, st.randoms(use_true_random=False))
def test_order_does_not_matter(latencies, q, random):
    shuffled = random.sample(latencies, len(latencies))

    assert percentile(ms(*shuffled), q) == percentile(ms(*latencies), q)


@given(LATENCIES, QUANTILES, st.floats(0, 1e6))
def test_a_slower_sample_never_lowers_a_percentile(latencies, q, more):
    slower = max(latencies) + more

    assert percentile(ms(*latencies, slower), q) >= percentile(ms(*latencies), q)


@given(LATENCIES, QUANTILES, QUANTILES)
def test_a_higher_quantile_is_never_lower(latencies, one, other):
    low, high = sorted([one, other])

    assert percentile(ms(*latencies), low) <= percentile(ms(*latencies), high)


@given(LATENCIES, QUANTILES)
def test_a_percentile_was_measured_and_splits_the_samples_as_it_says(latencies, q):
    value = percentile(ms(*latencies), q)

    assert value in latencies
    assert sum(latency <= value for latency in latencies) >= q * len(latencies)
    assert sum(latency < value for latency in latencies) < q * len(latencies)


@pytest.mark.parametrize(
    ("q", "needed"),
    [("0.5", 5), ("0.9", 29), ("0.95", 59), ("0.99", 299), ("0.999", 2_995), ("0.05", 1), ("0.01", 1)],
)
def test_a_percentile_needs_enough_samples_for_its_upper_bound(q, needed):
    assert required_samples(Fraction(q)) == needed


@given(st.integers(1, 999))
def test_the_samples_needed_are_the_fewest_that_give_95_percent(thousandths):
    q = Fraction(thousandths, 1000)
    n = required_samples(q)

    assert 1 - q**n >= Fraction(95, 100)
    assert n == 1 or 1 - q ** (n - 1) < Fraction(95, 100)
