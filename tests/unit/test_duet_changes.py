"""What the statistics found, as the change of a rule."""

from __future__ import annotations

import numpy as np
import pytest

from tailgate.compare import CompareSettings, compare_cost, compare_shares
from tailgate.duet_changes import from_rate
from tailgate.model import Change
from tests.unit.block_examples import counts
from tests.unit.duet_examples import rule

SETTINGS = CompareSettings()


def cost(base, candidate) -> Change:
    these = counts(base, candidate, requests=200, rounds=1)
    return from_rate(rule("cpu_ms"), compare_cost(these, SETTINGS), these, SETTINGS, unit=1000.0)


def failures(base, candidate, *, requests) -> Change:
    these, asked = counts(base, candidate, requests=requests, rounds=1), rule("failure_ratio", max_change=0.01)
    return from_rate(asked, compare_shares(these, max_change=0.01, settings=SETTINGS), these, SETTINGS)


@pytest.mark.parametrize(
    ("base", "candidate"), [([0.01, 0.0], [0.0, 0.01]), ([0.3, 0.7], [0.7, 0.3]), ([0.3, 0.5], [0.5, 0.3])]
)
def test_what_varies_wildly_has_no_bounds_and_no_change_that_would_be_found(base, candidate):
    found = cost(base, candidate)

    assert (found.low, found.high, found.detectable) == (-1.0, np.inf, None)


def test_a_change_that_would_be_found_is_told_where_it_is_less_than_tenfold():
    """Blocks of 0.50 and 0.52 s beside 0.51 and 0.50 s: a hard bound with two blocks, but one."""
    assert cost([0.50, 0.52], [0.51, 0.50]).detectable == pytest.approx(1.41, abs=0.01)


def test_more_failures_than_requests_are_never_found():
    assert failures([0, 0], [0, 1], requests=2).detectable is None
    assert 0.01 < failures([0] * 60, [0] * 60, requests=100).detectable < 0.02
