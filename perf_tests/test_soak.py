"""Soak: steady load, and a service that must not get slower; stretch it with ``--perf-time-scale``."""

from __future__ import annotations

import pytest

from perf_tests.users import Shopper
from tailgate import Load, Soak

pytestmark = pytest.mark.perf


def test_soak(load: Load) -> None:
    """The p95 of the last third is near that of the first."""
    load([Shopper], shape=Soak(users=8, ramp_s=2, hold_s=18)).check()
