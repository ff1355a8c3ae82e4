"""Shapes of load."""

import math
import re
from dataclasses import FrozenInstanceError, fields

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tailgate.errors import BadInput
from tailgate.model import Stage
from tailgate.shapes import Peak, Soak, Spike, Stages, Stress, check_stages, level_at, stretch

SHAPES = [Peak(), Stress(), Soak(), Spike(), Stages(Stage(name="only", duration_s=0.5, users=1))]
STAGES = st.lists(
    st.tuples(st.integers(0, 200), st.sampled_from([0.5, 0.7, 1.0, 3.3, 60.0]), st.booleans()), min_size=1, max_size=6
)


def stage(name="hold", duration_s=6.0, users=10, spawn_rate=None):
    return Stage(name=name, duration_s=duration_s, users=users, spawn_rate=spawn_rate)


def outline(shape):
    return [(part.name, part.duration_s, part.users, part.spawn_rate) for part in shape.stages]


def reachable(parts):
    """Stages of drawn levels and lengths; those that ramp take all of their length to get there."""
    stages, level = [], 0
    for number, (users, duration_s, is_ramp) in enumerate(parts):
        rate = abs(users - level) / duration_s if is_ramp and users != level else None
        stages.append(stage(f"stage_{number}", duration_s, users, rate))
        level = users
    return stages


def problems_of(*stages):
    with pytest.raises(BadInput) as caught:
        check_stages(stages)
    return caught.value.problems


def test_a_peak_ramps_up_holds_and_ramps_down():
    assert outline(Peak(users=10, ramp_s=2, hold_s=6, ramp_down_s=1)) == [
        ("ramp_up", 2, 10, 5),
        ("hold", 6, 10, None),
        ("ramp_down", 1, 0, 10),
    ]


def test_stress_climbs_in_steps_named_by_their_users():
    assert outline(Stress(step_users=8, steps=3, step_s=2)) == [
        ("step_8", 2, 8, None),
        ("step_16", 2, 16, None),
        ("step_24", 2, 24, None),
    ]


def test_soak_ramps_up_and_holds():
    assert outline(Soak(users=4, ramp_s=2, hold_s=30)) == [("ramp_up", 2, 4, 2), ("hold", 30, 4, None)]


def test_spike_bursts_at_once_and_comes_back():
    assert outline(Spike(users=5, spike_users=30, normal_s=4, spike_s=3, recovery_s=5)) == [
        ("normal", 4, 5, None),
        ("spike", 3, 30, None),
        ("recovery", 5, 5, None),
    ]


def test_stages_are_run_as_written():
    one, two = stage("one"), stage("two")

    assert Stages(one, two).stages == (one, two)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: type(shape).__name__)
def test_every_shape_has_defaults_that_can_be_run(shape):
    check_stages(shape.stages)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: type(shape).__name__)
def test_shapes_are_values(shape):
    assert hash(shape) == hash(shape)
    with pytest.raises(FrozenInstanceError):
        setattr(shape, fields(shape)[0].name, 1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: stage(duration_s=0), "stage 'hold': duration_s is 0, wanted a positive number of seconds"),
        (lambda: stage(duration_s=-1), "stage 'hold': duration_s is -1, wanted a positive number of seconds"),
        (lambda: stage(duration_s=math.inf), "stage 'hold': duration_s is inf, wanted a positive number of seconds"),
        (lambda: stage(duration_s=math.nan), "stage 'hold': duration_s is nan, wanted a positive number of seconds"),
        (lambda: stage(users=-1), "stage 'hold': users is -1, wanted a whole number, 0 or more"),
        (lambda: stage(users=2.5), "stage 'hold': users is 2.5, wanted a whole number, 0 or more"),
        (lambda: stage(spawn_rate=0), "stage 'hold': spawn_rate is 0, wanted a positive number of users/s"),
        (lambda: stage(spawn_rate=math.nan), "stage 'hold': spawn_rate is nan, wanted a positive number of users/s"),
        (lambda: Peak(ramp_s=0).stages, "stage 'ramp_up': duration_s is 0, wanted a positive number of seconds"),
        (lambda: Peak(ramp_down_s=0).stages, "stage 'ramp_down': duration_s is 0, wanted a positive number of seconds"),
        (lambda: Soak(ramp_s=-2).stages, "stage 'ramp_up': duration_s is -2, wanted a positive number of seconds"),
        (lambda: Peak(users=-5).stages, "stage 'ramp_up': users is -5, wanted a whole number, 0 or more"),
        (lambda: Stress(steps=0), "Stress: 0 steps of 10 users, wanted at least one of one"),
        (lambda: Stress(step_users=0), "Stress: 4 steps of 0 users, wanted at least one of one"),
    ],
)
def test_what_no_run_could_have_is_refused(make, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        make()


def test_a_shape_without_stages_is_refused():
    assert problems_of() == ("shape: has no stages; give it at least one",)
    with pytest.raises(BadInput, match=r"^shape: has no stages; give it at least one$"):
        level_at((), 0)


def test_a_shape_without_users_is_refused():
    assert problems_of(stage(users=0)) == ("shape: no stage has a user; nothing would be measured",)


def test_stages_that_share_a_name_are_refused_with_every_other_problem():
    assert problems_of(stage("b", users=0), stage("a", users=0), stage("b", users=0), stage("a", users=0)) == (
        "shape: two stages are called 'a'; names must differ",
        "shape: two stages are called 'b'; names must differ",
        "shape: no stage has a user; nothing would be measured",
    )


def test_a_stage_called_like_the_whole_run_is_refused():
    assert problems_of(stage("total")) == (
        "shape: a stage is called 'total', which means the whole run; give it another name",
    )


@pytest.mark.parametrize(
    ("users", "spawn_rate", "message"),
    [
        (25, 2, "shape: stage 'up' goes from 0 to 25 users at 2 users/s and reaches 12 in its 6 s;"),
        (13, 2, "shape: stage 'up' goes from 0 to 13 users at 2 users/s and reaches 12 in its 6 s;"),
    ],
)
def test_a_level_that_cannot_be_reached_in_time_is_refused(users, spawn_rate, message):
    assert problems_of(stage("up", users=users, spawn_rate=spawn_rate)) == (
        f"{message} raise spawn_rate or duration_s",
    )


def test_a_level_that_cannot_be_left_in_time_is_refused():
    (problem,) = problems_of(stage("up", users=20), stage("down", 2, 0, 5))

    assert problem == (
        "shape: stage 'down' goes from 20 to 0 users at 5 users/s and reaches 10 in its 2 s; raise spawn_rate or "
        "duration_s"
    )


@pytest.mark.parametrize(
    ("at_s", "expected"),
    [
        (0.0, (0, 0)),
        (0.01, (0, 1)),
        (0.2, (0, 1)),
        (0.21, (0, 2)),
        (1.0, (0, 5)),
        (1.81, (0, 10)),
        (2.0, (1, 10)),
        (7.99, (1, 10)),
        (8.0, (2, 10)),
        (8.5, (2, 5)),
        (8.99, (2, 0)),
        (9.0, (2, 0)),
        (1e9, (2, 0)),
    ],
)
def test_a_peak_is_followed_user_by_user(at_s, expected):
    assert level_at(Peak(users=10, ramp_s=2, hold_s=6, ramp_down_s=1).stages, at_s) == expected


def test_a_stage_without_spawn_rate_is_at_its_level_at_once():
    assert level_at(Spike().stages, 4.0) == (1, 30)
    assert level_at(Spike().stages, 7.0) == (2, 5)


@given(STAGES)
def test_every_stage_ends_at_its_own_level(parts):
    stages, end_s = reachable(parts), 0.0
    assume(any(part.users for part in stages))

    check_stages(stages)
    for index, part in enumerate(stages):
        end_s += part.duration_s
        before_end_s = end_s - 1e-9
        assert level_at(stages, before_end_s) == (index, part.users)


@given(STAGES, st.floats(0, 1))
def test_the_level_stays_between_those_of_the_stage_and_of_the_one_before(parts, share):
    stages = reachable(parts)

    index, level = level_at(stages, share * sum(part.duration_s for part in stages))

    before = stages[index - 1].users if index else 0
    assert min(before, stages[index].users) <= level <= max(before, stages[index].users)


@given(STAGES, st.sampled_from([0.1, 0.25, 2, 10, 60]), st.floats(0, 1))
def test_a_stretched_shape_has_the_same_levels_later(parts, factor, share):
    stages = reachable(parts)
    at_s = share * sum(part.duration_s for part in stages)

    index, level = level_at(stages, at_s)
    later_index, later_level = level_at(stretch(stages, factor), at_s * factor)

    # A moment that falls on a step may be rounded to either side of it.
    assert (abs(later_index - index), abs(later_level - level)) <= (1, 200)
    assert later_index != index or abs(later_level - level) <= 1


def test_stretching_makes_stages_longer_and_slower_and_keeps_their_levels():
    longer = stretch(Peak(users=10, ramp_s=2, hold_s=6, ramp_down_s=1).stages, 10)

    assert [(part.name, part.duration_s, part.users, part.spawn_rate) for part in longer] == [
        ("ramp_up", 20, 10, 0.5),
        ("hold", 60, 10, None),
        ("ramp_down", 10, 0, 1),
    ]
