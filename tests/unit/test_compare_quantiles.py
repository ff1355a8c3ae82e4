"""Quantiles of the normal, Student's and beta distributions."""

from fractions import Fraction
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailgate.compare_quantiles import (
    beta_quantile,
    clopper_pearson,
    incomplete_beta,
    normal_quantile,
    student_quantile,
    student_tails,
)


def test_five_percent_of_a_normal_variable_lie_above_1_645():
    assert normal_quantile(0.05) == pytest.approx(1.644854, abs=1e-6)


@pytest.mark.parametrize(
    ("x", "a", "b", "expected"),
    # SciPy 1.17.1, scipy.special.betainc
    [(0.3, 2.5, 7, 0.6412224629717214), (0.03, 300, 1e4, 0.7056302716945648), (0.0, 2, 2, 0.0), (1.0, 2, 2, 1.0)],
)
def test_the_incomplete_beta_function_agrees_with_scipy(x, a, b, expected):
    assert incomplete_beta(x, a, b) == pytest.approx(expected, abs=1e-9)


@given(st.integers(1, 20), st.integers(1, 40), st.integers(1, 99))
def test_the_incomplete_beta_function_is_a_binomial_tail(hits, misses, hundredths):
    """I_p(k, n - k + 1) is the probability of k or more hits in n trials, which is a sum of fractions."""
    n, p = hits + misses - 1, Fraction(hundredths, 100)
    tail = sum(comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(hits, n + 1))
    assert incomplete_beta(float(p), hits, misses) == pytest.approx(float(tail), abs=1e-12)


@given(st.floats(0.5, 1e5), st.floats(0.5, 1e5), st.floats(0.001, 0.999))
def test_a_beta_quantile_is_where_the_function_has_its_probability(a, b, probability):
    assert incomplete_beta(beta_quantile(probability, a, b), a, b) == pytest.approx(probability, abs=1e-6)


@pytest.mark.parametrize(
    ("level", "freedom", "t"),
    # Any table of Student's t; the last is SciPy 1.17.1
    [
        (0.05, 1, 6.3138),
        (0.05, 9, 1.8331),
        (0.025, 59, 2.0010),
        (0.025, 10**6, 1.9600),
        (0.0083, 59, 2.465742506247594),
    ],
)
def test_students_quantiles_are_those_of_the_tables(level, freedom, t):
    assert student_quantile(level, freedom) == pytest.approx(t, abs=5e-5)


@pytest.mark.parametrize(
    ("t", "freedom", "expected"),
    # The two-sided 5 % of the tables; both tails of a Cauchy variable are half of it.
    [(2.2622, 9, 0.05), (-2.2622, 9, 0.05), (1.95996, 10**6, 0.05), (1.0, 1, 0.5), (0.0, 9, 1.0), (2.3646, 7, 0.05)],
)
def test_students_tails_are_those_of_the_tables(t, freedom, expected):
    assert student_tails(t, freedom) == pytest.approx(expected, abs=2e-5)


def test_no_hit_in_a_hundred_trials_leaves_room_for_three_percent():
    low, high = clopper_pearson(0, 100, 0.05)
    assert low == 0.0
    assert high == pytest.approx(1 - 0.05**0.01)
    assert clopper_pearson(100, 100, 0.05) == (pytest.approx(0.05**0.01), 1.0)


def test_an_interval_exists_for_a_fraction_of_trials():
    assert clopper_pearson(37.5, 812.25, 0.01) == pytest.approx((0.0306798349, 0.0662575945))  # SciPy 1.17.1


def test_at_the_ends_of_the_interval_the_hits_seen_have_the_probability_of_the_level():
    low, high = (Fraction(end) for end in clopper_pearson(3, 40, 0.05))

    def probability(p, hits):
        return float(sum(comb(40, k) * p**k * (1 - p) ** (40 - k) for k in hits))

    assert probability(low, range(3, 41)) == pytest.approx(0.05)
    assert probability(high, range(4)) == pytest.approx(0.05)
