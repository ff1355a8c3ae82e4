"""Stress: step by step until something breaks."""

from __future__ import annotations

import pytest

from perf_tests.users import Shopper
from tailgate import Load, Stress

pytestmark = pytest.mark.perf


def test_stress(load: Load) -> None:
    """At least the level that the thresholds file asks for is held; where it breaks is reported."""
    load([Shopper], shape=Stress(step_users=8, steps=4, step_s=4)).check()
