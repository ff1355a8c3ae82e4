"""The simulator's shapes: the gate's at full length, as Locust is told them second by second."""

from __future__ import annotations

import pytest

from simulations.configuration import load_configuration
from simulations.shapes import GateShape, named_shapes
from tailgate import Stage, Stages


@pytest.fixture
def ticks_of(monkeypatch):
    """Ask a shape for its ticks at given seconds."""

    def ticks_of(shape, *seconds):
        ticks = []
        for at_s in seconds:
            monkeypatch.setattr(shape, "get_run_time", lambda at_s=at_s: at_s)
            ticks.append(shape.tick())
        return ticks

    return ticks_of


def test_every_shape_that_the_configuration_can_name_is_there():
    assert list(named_shapes(load_configuration(environ={}))) == ["stages", "peak", "stress", "soak", "spike"]


@pytest.mark.parametrize(
    ("name", "expected"),
    {
        "stages": {0: (10, 10), 59.9: (10, 10), 60: (50, 10), 959.9: (50, 10), 960: (0, 10), 1080: None},
        "peak": {0: (300, 5), 59.9: (300, 5), 60: (300, 1), 359.9: (300, 1), 360: (0, 5), 420: None},
        "stress": {0: (10, 10), 59.9: (10, 10), 60: (20, 10), 3599.9: (600, 10), 3600: None},
        "soak": {0: (50, 50 / 600), 600: (50, 1), 7199.9: (50, 1), 7200: None},
        "spike": {0: (50, 50), 299.9: (50, 50), 300: (500, 450), 420: (50, 450), 719.9: (50, 450), 720: None},
    }.items(),
)
def test_users_and_spawn_rate_at_the_turning_points(ticks_of, name, expected):
    shape = named_shapes(load_configuration(environ={}))[name]
    assert dict(zip(expected, ticks_of(shape, *expected), strict=True)) == expected


def test_a_stage_without_a_spawn_rate_moves_at_once(ticks_of):
    shape = GateShape(
        Stages(Stage(name="a", duration_s=2, users=7), Stage(name="b", duration_s=2, users=3, spawn_rate=0.5))
    )
    assert ticks_of(shape, 0, 2, 4) == [(7, 7), (3, 0.5), None]
