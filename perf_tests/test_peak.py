"""Peak load: up, held, down."""

from __future__ import annotations

import pytest

from perf_tests.users import Shopper
from tailgate import Load, Peak

pytestmark = pytest.mark.perf


def test_peak(load: Load) -> None:
    """The level of the busiest hour is held."""
    load([Shopper], shape=Peak(users=15, ramp_s=3, hold_s=8, ramp_down_s=1)).check()
