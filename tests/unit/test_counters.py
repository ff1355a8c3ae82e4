"""Counters of one run."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailgate.counters import Counters


def test_a_counter_begins_at_nothing_and_adds_up():
    counters = Counters()

    counters.add("units_sold", 3)
    counters.add("units_sold")
    counters.add("retries")

    assert counters.as_dict() == {"units_sold": 4, "retries": 1}


def test_adding_nothing_makes_a_counter_known():
    counters = Counters()

    counters.add("retries", 0)

    assert counters.as_dict() == {"retries": 0}


def test_only_whole_numbers_are_counted():
    counters = Counters()

    counters.add("retries", np.int64(2))
    with pytest.raises(TypeError):
        counters.add("retries", 0.5)

    assert repr(counters.as_dict()) == "{'retries': 2}"


def test_two_runs_count_apart():
    one, other = Counters(), Counters()

    one.add("retries")

    assert other.as_dict() == {}


def test_what_was_read_does_not_change_with_what_is_counted_later():
    counters = Counters()
    before = counters.as_dict()

    counters.add("retries")
    before["retries"] = 99

    assert counters.as_dict() == {"retries": 1}


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(-5, 5))))
def test_the_order_of_adding_does_not_matter(steps):
    one, other = Counters(), Counters()
    for name, count in steps:
        one.add(name, count)
    for name, count in reversed(steps):
        other.add(name, count)

    assert one.as_dict() == other.as_dict()
