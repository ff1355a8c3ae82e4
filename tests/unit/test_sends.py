"""Sends of the open model, kept one by one or counted."""

from fractions import Fraction

import numpy as np
import pytest

from tailgate.distributions import ERROR_RATIO
from tailgate.engine import sends as module
from tailgate.engine.sends import Sends

P99 = Fraction(99, 100)


def filled(sends, count, *, first=0):
    for number in range(first, first + count):
        sends.add((number + 0.5) / 1000, 1.0 + number)
    return sends


def test_sends_are_counted_by_10_ms():
    assert filled(Sends(), 25).counts.tolist() == [10, 10, 5]


def test_lateness_is_exact_while_there_are_few():
    sends = filled(Sends(), 200)
    sends.fold()
    assert sends.lags_ms.percentile(P99) == 198.0


def test_many_sends_are_counted_and_no_longer_kept(monkeypatch):
    monkeypatch.setattr(module, "MOST_EXACT", 150)
    sends = Sends()
    for first in (0, 100, 200):
        filled(sends, 100, first=first)
        sends.fold()
    filled(sends, 5, first=300)

    assert (len(sends._lags_ms), sends.lags_ms.count) == (5, 305)
    assert sends.lags_ms.percentile(P99) == pytest.approx(302.0, rel=ERROR_RATIO)
    assert sends.lags_ms.max_ms == 305.0
    assert sends.counts.tolist() == [10] * 30 + [5]


def test_without_sends_there_is_nothing_to_say():
    assert (Sends().lags_ms.count, Sends().counts.size) == (0, 0)


def test_sends_before_the_run_are_not_counted():
    sends = Sends()
    sends.add(-0.5, 1.0)
    assert np.count_nonzero(sends.counts) == 0
