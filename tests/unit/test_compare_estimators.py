"""Estimates of a shift between paired arms, and how far they are known."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailgate.compare_blocks import Pairs
from tailgate.compare_estimators import (
    as_ratio,
    autocorrelation,
    cluster_error,
    detectable_ratio,
    effective_samples,
    linearise,
    paired_shift,
    pooled_shift,
    to_ratio,
)

LEVEL = 0.05


def in_a_row(count):
    return np.ones(count - 1, dtype=bool)


def pairs_of(base, candidate):
    """Pairs of blocks; both arguments have the shape ``(blocks, samples)`` and are logarithms."""
    base, candidate = np.asarray(base, dtype=float), np.asarray(candidate, dtype=float)
    count = len(base)
    return Pairs(
        base_log=base.ravel(),
        candidate_log=candidate.ravel(),
        base_block=np.repeat(np.arange(count), base.shape[1]),
        candidate_block=np.repeat(np.arange(count), candidate.shape[1]),
        round_index=np.zeros(count, dtype=np.int64),
        is_neighbour=in_a_row(count),
        dropped=0,
        block_s=1.0,
    )


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def test_the_centre_is_the_median_of_the_walsh_averages():
    """Of 1, 2 and 9: 1, 1.5, 2, 5, 5.5, 9."""
    assert paired_shift(np.array([1.0, 9.0, 2.0]), in_a_row(3), 0.0).value == 3.5


def test_the_bounds_are_walsh_averages_by_rank():
    """m = 10: 27.5 - 1.645 * sqrt(96.25) = 11.4, so the 11th from either end of the 55."""
    differences = np.array([0.8, -0.3, 1.2, 2.5, -0.1, 0.9, 1.7, 0.4, -0.6, 1.1])
    shift = paired_shift(differences, np.zeros(9, dtype=bool), 0.0)
    walsh = sorted((differences[i] + differences[j]) / 2 for i in range(10) for j in range(i, 10))
    assert shift.bounds(LEVEL) == pytest.approx((walsh[10], walsh[-11]))


def test_so_few_pairs_prove_nothing_at_all():
    assert paired_shift(np.array([1.0, 1.0, 1.0]), in_a_row(3), 0.0).bounds(LEVEL) == (-math.inf, math.inf)


def test_one_wild_pair_hardly_moves_the_centre():
    calm, wild = np.full(30, 0.01), np.full(30, 0.01)
    wild[7] = 5.0
    assert paired_shift(wild, in_a_row(30), 0.0).value == pytest.approx(paired_shift(calm, in_a_row(30), 0.0).value)


def test_the_floor_alone_keeps_identical_differences_from_being_certain():
    low, high = paired_shift(np.full(30, 0.02), in_a_row(30), 0.01).bounds(LEVEL)
    assert (low, high) == pytest.approx((0.02 - 0.0164485, 0.02 + 0.0164485), abs=1e-6)


def test_neighbours_that_resemble_each_other_widen_the_bounds():
    differences = noise(60)
    alone = paired_shift(differences, np.zeros(59, dtype=bool), 0.0)
    resembling = np.repeat(differences[:30], 2)
    together = paired_shift(resembling, in_a_row(60), 0.0)
    assert alone.rho == 0.0
    assert together.rho == pytest.approx(0.5, abs=0.2)
    assert together.standard_error > alone.standard_error * 1.3


@given(st.lists(st.floats(-1, 1), min_size=10, max_size=40), st.floats(0, 0.05))
def test_the_other_sign_gives_the_mirrored_bounds(differences, floor):
    shift = paired_shift(np.array(differences), in_a_row(len(differences)), floor)
    mirrored = paired_shift(-np.array(differences), in_a_row(len(differences)), floor)
    assert mirrored.value == -shift.value
    assert mirrored.rho == pytest.approx(shift.rho, abs=1e-9)
    assert mirrored.bounds(LEVEL) == pytest.approx([-end for end in reversed(shift.bounds(LEVEL))], abs=1e-7)


def test_a_lower_level_gives_wider_bounds():
    shift = paired_shift(noise(30), in_a_row(30), 0.01)
    assert shift.bounds(0.01)[0] < shift.bounds(0.05)[0] < shift.value < shift.bounds(0.05)[1] < shift.bounds(0.01)[1]


def test_the_p_value_is_small_where_zero_is_far_away():
    assert paired_shift(np.zeros(20), in_a_row(20), 0.0).p_value == 1.0
    assert paired_shift(np.full(20, 0.1), in_a_row(20), 0.0).p_value == 0.0
    assert paired_shift(np.full(20, 0.02093), in_a_row(20), 0.01).p_value == pytest.approx(0.05, abs=0.0001)


def test_the_p_value_of_ten_pairs_does_not_take_their_error_for_known():
    """At 2.2622 errors Student's variable with nine degrees of freedom has a probability of 5 %, a normal one 2.4 %."""
    pairs = noise(10)
    shift = paired_shift(pairs, np.zeros(9, dtype=bool), 0.0)
    moved = paired_shift(pairs - shift.value + 2.2622 * shift.standard_error, np.zeros(9, dtype=bool), 0.0)
    assert moved.p_value == pytest.approx(0.05, abs=0.0001)


@pytest.mark.parametrize("true_rho", [0.0, 0.4, 0.7])
def test_the_autocorrelation_of_a_long_series_is_found(true_rho):
    series = noise(4000)
    for at in range(1, 4000):
        series[at] = true_rho * series[at - 1] + math.sqrt(1 - true_rho**2) * series[at]
    assert autocorrelation(series, in_a_row(4000)) == pytest.approx(true_rho, abs=0.04)


@pytest.mark.parametrize(
    ("series", "rho"),
    [
        (np.full(20, 0.3), 0.0),
        (np.tile([1.0, -1.0], 10), 0.0),
        (np.repeat([1.0, -1.0], 50), 0.8),
        (np.array([1.0]), 0.0),
    ],
    ids=["constant", "alternating", "one long step", "a single value"],
)
def test_the_autocorrelation_is_held_within_zero_and_four_fifths(series, rho):
    assert autocorrelation(series, in_a_row(len(series))) == rho


def test_only_direct_neighbours_count_for_the_autocorrelation():
    series = np.repeat([1.0, -1.0] * 10, 2)
    is_neighbour = in_a_row(40)
    is_neighbour[::2] = False
    assert autocorrelation(series, in_a_row(40)) == pytest.approx(0.0, abs=0.1)
    assert autocorrelation(series, ~is_neighbour) == 0.8


def test_the_pooled_estimate_is_the_difference_of_the_quantiles():
    base, candidate = noise(20, 100), noise(20, 100, seed=1) + 0.3
    shift = pooled_shift(pairs_of(base, candidate), 0.95, 0.0)
    assert shift.value == pytest.approx(np.quantile(candidate, 0.95) - np.quantile(base, 0.95))
    low, high = shift.bounds(LEVEL)
    assert low < 0.3 < high
    assert high - low < 0.5


def test_the_pooled_bounds_mirror_when_the_arms_are_swapped():
    base, candidate = noise(20, 100), noise(20, 100, seed=1) + 0.3
    there, back = pooled_shift(pairs_of(base, candidate), 0.9, 0.01), pooled_shift(pairs_of(candidate, base), 0.9, 0.01)
    assert back.value == -there.value
    assert back.bounds(LEVEL) == pytest.approx([-end for end in reversed(there.bounds(LEVEL))], abs=1e-5)


def test_pooled_bounds_are_wider_where_the_slow_requests_sit_in_few_blocks():
    spread = noise(20, 100)
    together = np.sort(spread.ravel()).reshape(20, 100)
    of_spread = pooled_shift(pairs_of(noise(20, 100, seed=1), spread), 0.95, 0.0).bounds(LEVEL)
    of_together = pooled_shift(pairs_of(noise(20, 100, seed=1), together), 0.95, 0.0).bounds(LEVEL)
    assert of_together[1] - of_together[0] > 2 * (of_spread[1] - of_spread[0])


def test_identical_arms_have_no_pooled_change():
    shift = pooled_shift(pairs_of(np.ones((10, 50)), np.ones((10, 50))), 0.95, 0.0)
    assert shift.value == 0.0
    assert shift.bounds(LEVEL) == pytest.approx((0.0, 0.0), abs=1e-5)


def test_timeouts_in_both_arms_do_not_blind_the_pooled_estimate():
    base, candidate = np.round(noise(20, 100), 3), np.round(noise(20, 100, seed=1), 3)
    base[:, :10] = candidate[:, :10] = 9.0
    assert pooled_shift(pairs_of(base, candidate), 0.95, 0.0).bounds(LEVEL) == pytest.approx((0.0, 0.0), abs=1e-5)


def test_a_difference_of_rates_and_its_error_by_hand():
    """1 of 10 and 3 of 10, then 3 of 10 and 3 of 10: shares 0.2 and 0.3, residuals 0.05 and -0.05."""
    ten = np.array([10, 10])
    difference, residuals = linearise(
        base=np.array([1, 3]), candidate=np.array([3, 3]), base_size=ten, candidate_size=ten
    )
    assert difference == pytest.approx(0.1)
    assert residuals == pytest.approx([0.05, -0.05])
    assert cluster_error(residuals) == pytest.approx(0.1)


def test_blocks_that_agree_more_than_chance_are_not_worth_more_than_their_requests():
    assert effective_samples(100, error=0.1, independent_variance=0.0025) == pytest.approx(25)
    assert effective_samples(100, error=0.01, independent_variance=0.0025) == 100
    assert effective_samples(100, error=0.0, independent_variance=0.0) == 100


def test_logarithms_become_changes():
    assert to_ratio(math.log(1.05)) == pytest.approx(0.05)
    assert (to_ratio(-math.inf), to_ratio(math.inf), to_ratio(1e9)) == (-1.0, math.inf, math.inf)


def test_the_interval_lies_outside_of_the_one_sided_bounds():
    estimate = as_ratio(paired_shift(noise(30) / 100, in_a_row(30), 0.01), LEVEL)
    assert estimate.low < estimate.at_least < estimate.value < estimate.at_most < estimate.high


@pytest.mark.parametrize(
    ("way", "told"), [(0.0, 0.1), (math.log(2) / 1.51, 1.2), (math.log(11) / 1.51, None), (math.inf, None)]
)
def test_only_a_change_of_less_than_tenfold_is_called_detectable(way, told):
    """At 5 % the way counts 1 + 0.84 / 1.645 = 1.51 times; the limit is +10 %."""
    assert detectable_ratio(0.1, way, LEVEL) == (told and pytest.approx(told, abs=0.01))


def test_a_bound_that_is_a_thousand_times_away_is_none():
    """A floor of 4 at the normal quantile 1.645 is a factor of 720, one of 5 is a factor of 3,700."""
    near, far = (paired_shift(np.full(12, math.log(1.5)), in_a_row(12), floor) for floor in (4.0, 5.0))
    assert as_ratio(near, LEVEL).at_most == pytest.approx(1.5 * math.exp(1.6449 * 4) - 1, rel=0.001)
    assert (as_ratio(far, LEVEL).at_least, as_ratio(far, LEVEL).at_most) == (-1.0, math.inf)
