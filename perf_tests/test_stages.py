"""Everyday load: two levels, one after the other."""

from __future__ import annotations

import pytest

from perf_tests.users import Shopper
from tailgate import Load, Stage, Stages

pytestmark = pytest.mark.perf


def test_stages(load: Load) -> None:
    """A quiet and a busy hour, in seconds."""
    shape = Stages(
        Stage(name="quiet", duration_s=5, users=5, spawn_rate=10),
        Stage(name="busy", duration_s=9, users=12, spawn_rate=10),
    )
    load([Shopper], shape=shape).check()
