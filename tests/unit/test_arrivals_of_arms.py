"""Who gets which arrival: the coin of a duet, and what else is drawn for each."""

from __future__ import annotations

from itertools import islice, pairwise

import numpy as np
import pytest

from tailgate import Arrivals
from tailgate.dispersion import index_of_dispersion
from tailgate.engine.arrivals import draw_arrivals
from tailgate.model import Window

STAGES = Arrivals(rate_rps=400, duration_s=50).stages
SEEDS = range(1, 6)


def drawn(seed=1, arms=2, stages=STAGES):
    """Return the columns of all arrivals: when, whose, and both draws."""
    return [np.array(column) for column in zip(*draw_arrivals(stages, seed=seed, arms=arms), strict=True)]


def test_the_same_seed_gives_the_same_arrivals_and_coin_and_another_seed_others():
    first, second, other = (list(draw_arrivals(STAGES, seed=seed, arms=2)) for seed in (1, 1, 2))

    assert first == second
    for column in range(4):
        assert [arrival[column] for arrival in first[:1000]] != [arrival[column] for arrival in other[:1000]]


def test_the_coin_is_the_same_on_every_machine():
    arms = [arrival.arm for arrival in islice(draw_arrivals(STAGES, seed=1, arms=2), 16)]

    assert arms == [1, 1, 1, 0, 0, 0, 1, 1, 1, 0, 1, 1, 0, 1, 1, 0]


def test_with_one_arm_there_are_the_same_times_and_tasks():
    due_s, arm, *draws = drawn()
    due_alone_s, arm_alone, *draws_alone = drawn(arms=1)

    assert set(arm) == {0, 1}
    assert set(arm_alone) == {0}
    assert due_s.tolist() == due_alone_s.tolist()
    assert np.array_equal(draws, draws_alone)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_coin_is_fair_and_has_no_memory(seed):
    _, arm, *_ = drawn(seed)
    changes = sum(before != after for before, after in pairwise(arm))

    # Four standard deviations of a binomial number of which a half is expected.
    assert abs(arm.sum() - len(arm) / 2) < 4 * (len(arm) / 4) ** 0.5
    assert abs(changes - len(arm) / 2) < 4 * (len(arm) / 4) ** 0.5


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("arm", [0, 1])
def test_each_arm_has_poisson_arrivals_of_half_the_rate(seed, arm):
    due_s, arms, *_ = drawn(seed)
    own_s = due_s[arms == arm]
    gaps_s = np.diff(own_s)

    assert gaps_s.mean() == pytest.approx(1 / 200, rel=0.05)
    assert gaps_s.std() == pytest.approx(1 / 200, rel=0.06)
    # Its standard deviation is the root of 2 over the number of bins, 5,000 here.
    assert index_of_dispersion(own_s, [Window(name="all", start_s=0, end_s=50)]) == pytest.approx(1, abs=0.08)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_drawn_for_an_arrival_tells_nothing_about_anything_else(seed):
    due_s, *rest = drawn(seed)
    columns = np.array([np.diff(due_s), *(column[1:] for column in rest)])
    tied = np.corrcoef(columns)[np.triu_indices(4, 1)]
    tied_to_next = [np.corrcoef(before[:-1], after[1:])[0, 1] for before in columns for after in columns]

    # Four standard deviations of a correlation of what is independent.
    assert np.abs([*tied, *tied_to_next]).max() < 4 / len(due_s) ** 0.5
