"""Whether requests come one by one or in herds."""

from __future__ import annotations

import numpy as np
import pytest

from tailgate.dispersion import index_of_dispersion
from tailgate.model import Window


def window(start_s=0.0, end_s=10.0):
    return Window(name="hold", start_s=start_s, end_s=end_s)


def poisson(rate_rps, duration_s=10.0, seed=1):
    source = np.random.default_rng(seed)
    return np.sort(source.uniform(0.0, duration_s, source.poisson(rate_rps * duration_s)))


@pytest.mark.parametrize("rate_rps", [30, 100, 1000])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_poisson_arrivals_are_near_1(rate_rps, seed):
    # Of 1,000 bins the standard deviation is 0.045.
    assert index_of_dispersion(poisson(rate_rps, seed=seed), [window()]) == pytest.approx(1, abs=0.18)


def test_requests_at_equal_distances_are_near_0():
    # Two requests in every bin of 10 ms.
    assert index_of_dispersion(np.arange(0.0025, 10.0, 0.005), [window()]) == pytest.approx(0)


def test_a_herd_of_50_every_half_second():
    # Two bins of each second hold 50, the other 98 none: mean 1, variance (2 * 49**2 + 98) / 99.
    herds_s = np.repeat(np.arange(0.25, 10.0, 0.5), 50)

    assert index_of_dispersion(herds_s, [window()]) == pytest.approx((2 * 49**2 + 98) / 99)


def test_a_herd_that_is_spread_over_a_tenth_of_a_second_still_shows():
    source = np.random.default_rng(1)
    herds_s = np.concatenate([start_s + source.uniform(0, 0.1, 50) for start_s in np.arange(0, 10.0, 0.5)])

    assert index_of_dispersion(herds_s, [window()]) > 3


def test_a_rate_that_moves_slowly_is_no_herd():
    source = np.random.default_rng(1)
    # From 0 to 400 a second.
    ramp_s = 20 * np.sqrt(source.uniform(0, 1, 4000))

    assert index_of_dispersion(ramp_s, [window(end_s=20.0)]) == pytest.approx(1, abs=0.15)


def test_order_does_not_matter():
    sends_s = poisson(100)

    assert index_of_dispersion(sends_s[::-1].copy(), [window()]) == index_of_dispersion(sends_s, [window()])


def test_only_whole_seconds_of_the_windows_count():
    herds_s = np.repeat(np.arange(0.25, 5.0, 0.5), 50)
    calm_s = 5.0 + poisson(100, 5.0)
    sends_s = np.concatenate([herds_s, calm_s])

    assert index_of_dispersion(sends_s, [window(5.0, 10.0)]) == pytest.approx(1, abs=0.25)
    assert index_of_dispersion(sends_s, [window(0.0, 5.0), window(5.0, 10.0)]) > 10
    # Half a second of a herd at the end, which is no whole second.
    late_s = np.concatenate([poisson(100, 5.0), np.repeat(5.2, 500)])
    assert index_of_dispersion(late_s, [window(0.0, 5.5)]) == pytest.approx(1, abs=0.25)


def test_seconds_weigh_by_their_sends():
    # One second of 200 in one bin (index 200), and one of 300 at equal distances (index 0).
    sends_s = np.concatenate([np.repeat(0.5, 200), 1.0 + (np.arange(300) + 0.5) / 300])

    assert index_of_dispersion(sends_s, [window(0.0, 2.0)]) == pytest.approx(200 * 200 / 500)


@pytest.mark.parametrize(("count", "is_known"), [(0, False), (1, False), (199, False), (200, True)])
def test_few_requests_say_nothing(count, is_known):
    sends_s = np.linspace(0.0, 9.99, count)

    assert (index_of_dispersion(sends_s, [window()]) is not None) is is_known


def test_without_windows_nothing_is_said():
    assert index_of_dispersion(poisson(100), []) is None
    assert index_of_dispersion(poisson(100), [window(5.0, 5.0)]) is None


def test_what_was_sent_before_the_run_is_left_out():
    early_s = np.full(500, -np.inf)

    assert index_of_dispersion(early_s, [window()]) is None
    both = index_of_dispersion(np.concatenate([early_s, poisson(100)]), [window()])
    assert both == index_of_dispersion(poisson(100), [window()])
