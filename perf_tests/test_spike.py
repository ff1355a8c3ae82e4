"""Spike: a burst must be survived, and be over when it is over."""

from __future__ import annotations

import pytest

from perf_tests.users import Shopper
from tailgate import Load, Spike

pytestmark = pytest.mark.perf


def test_spike(load: Load) -> None:
    """The recovery is judged by limits of its own, as strict as for everyday load."""
    load([Shopper], shape=Spike(users=4, spike_users=24, normal_s=5, spike_s=4, recovery_s=6)).check()
