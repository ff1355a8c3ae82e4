"""The open model as data: rates, what stages may be, and when tasks are due."""

from __future__ import annotations

from itertools import islice, pairwise
from random import Random

import pytest

from tailgate import Arrivals, Stage, Stages
from tailgate.errors import BadInput
from tailgate.shapes import arrival_times, check_stages, is_open, level_at, rate_at, stretch


def at_rate(rate_rps, name="day", duration_s=10.0, **changes):
    return Stage(name=name, duration_s=duration_s, arrival_rate_rps=rate_rps, **changes)


def test_arrivals_are_one_stage_without_users():
    (only,) = Arrivals(rate_rps=120, duration_s=30, ramp_s=5).stages

    assert (only.name, only.duration_s, only.users, only.arrival_rate_rps, only.ramp_s) == ("arrivals", 30, 0, 120, 5)
    assert is_open([only])


def test_the_defaults_can_be_run():
    check_stages(Arrivals().stages)


@pytest.mark.parametrize(
    ("at_s", "rate_rps"),
    [(0, 0), (1, 20), (4, 80), (5, 100), (9.9, 100), (10, 100), (11, 75), (12, 50), (19, 50), (20, 50), (25, 50)],
)
def test_a_rate_moves_in_its_ramp_from_that_of_the_stage_before(at_s, rate_rps):
    stages = [at_rate(100, "day", ramp_s=5), at_rate(50, "night", ramp_s=2), at_rate(50, "morning", ramp_s=10)]

    assert rate_at(stages, at_s) == pytest.approx(rate_rps)


def test_without_a_ramp_a_rate_is_there_at_once_and_after_the_end_there_is_none():
    stages = [at_rate(100), at_rate(50, "night")]

    assert [rate_at(stages, at_s) for at_s in (0, 9.999, 10, 19.999, 20, 1e9)] == [100, 100, 50, 50, 0, 0]


def test_users_have_no_rate():
    assert rate_at([Stage(name="hold", duration_s=10, users=5)], 1.0) == 0
    assert not is_open([Stage(name="hold", duration_s=10, users=5)])


def test_no_users_are_wanted_at_any_time():
    assert level_at([at_rate(100), at_rate(50, "night")], 12.0) == (1, 0)


def test_stretched_stages_keep_their_rates_and_ramp_for_longer():
    assert stretch([at_rate(100, ramp_s=2)], 3.0) == (at_rate(100, duration_s=30.0, ramp_s=6.0),)


def test_stages_of_both_models_cannot_be_mixed():
    stages = [at_rate(100), Stage(name="hold", duration_s=5, users=3), Stage(name="pause", duration_s=5)]

    with pytest.raises(BadInput) as caught:
        check_stages(stages)
    assert caught.value.problems == (
        "shape: stage 'hold' has no arrival_rate_rps, and others have; give all of them one, or none",
        "shape: stage 'pause' has no arrival_rate_rps, and others have; give all of them one, or none",
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"arrival_rate_rps": 0}, "arrival_rate_rps is 0, wanted a positive number a second"),
        ({"arrival_rate_rps": -5}, "arrival_rate_rps is -5, wanted a positive number a second"),
        ({"arrival_rate_rps": float("inf")}, "arrival_rate_rps is inf, wanted a positive number a second"),
        ({"arrival_rate_rps": float("nan")}, "arrival_rate_rps is nan, wanted a positive number a second"),
        ({"arrival_rate_rps": 5, "users": 2}, "has users and an arrival rate, wanted one of them"),
        ({"arrival_rate_rps": 5, "spawn_rate": 2}, "has users and an arrival rate, wanted one of them"),
        ({"arrival_rate_rps": 5, "ramp_s": -1}, "ramp_s is -1, wanted 0 to duration_s"),
        ({"arrival_rate_rps": 5, "ramp_s": 11}, "ramp_s is 11, wanted 0 to duration_s"),
        ({"arrival_rate_rps": 5, "ramp_s": float("nan")}, "ramp_s is nan, wanted 0 to duration_s"),
        ({"users": 5, "ramp_s": 1}, "ramp_s is for arrival_rate_rps; users ramp by spawn_rate"),
    ],
)
def test_a_stage_that_could_never_be_run_is_refused(settings, message):
    with pytest.raises(ValueError, match=f"^stage 'day': {message}$"):
        Stage(name="day", duration_s=10, **settings)


def test_a_ramp_may_take_all_of_its_stage():
    assert at_rate(5, ramp_s=10.0).ramp_s == 10.0


def test_the_same_seed_gives_the_same_arrivals():
    shape = Stages(at_rate(100, ramp_s=5), at_rate(20, "night"))
    first, second = (list(arrival_times(shape.stages, Random(1))) for _ in range(2))

    assert first == second
    assert first != list(arrival_times(shape.stages, Random(2)))
    assert [round(due_s, 4) for due_s in islice(arrival_times([at_rate(100)], Random(1)), 3)] == [
        0.0014,
        0.0159,
        0.0227,
    ]


def test_arrivals_follow_the_rate_within_what_chance_allows():
    stages = [at_rate(200, ramp_s=5, duration_s=20), at_rate(50, "night", duration_s=20)]
    due_s = list(arrival_times(stages, Random(7)))
    ramp = sum(at < 5 for at in due_s)
    day = sum(5 <= at < 20 for at in due_s)
    night = sum(at >= 20 for at in due_s)

    # Four standard deviations of Poisson numbers.
    assert abs(ramp - 500) < 4 * 500**0.5
    assert abs(day - 3000) < 4 * 3000**0.5
    assert abs(night - 1000) < 4 * 1000**0.5
    assert due_s == sorted(due_s)
    assert due_s[0] > 0
    assert due_s[-1] < 40


def test_gaps_are_exponential():
    gaps_s = [after - before for before, after in pairwise(arrival_times([at_rate(100, duration_s=100)], Random(3)))]
    mean_s = sum(gaps_s) / len(gaps_s)

    assert mean_s == pytest.approx(0.01, rel=0.05)
    # Of an exponential distribution the standard deviation is the mean, and 1/e of all is longer than it.
    assert (sum((gap_s - mean_s) ** 2 for gap_s in gaps_s) / len(gaps_s)) ** 0.5 == pytest.approx(mean_s, rel=0.05)
    assert sum(gap_s > mean_s for gap_s in gaps_s) / len(gaps_s) == pytest.approx(0.368, abs=0.02)
