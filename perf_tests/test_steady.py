"""Steady load: requests that arrive at a rate, whatever the answers take; also what a duet compares builds by."""

from __future__ import annotations

import pytest

from perf_tests.users import Shopper
from tailgate import Arrivals, Load

pytestmark = pytest.mark.perf


def test_steady(load: Load) -> None:
    """In a duet each build gets half of the requests, in rounds of this length."""
    load([Shopper], shape=Arrivals(rate_rps=360, duration_s=35, ramp_s=2)).check()
