"""Requests, recorded exactly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailgate.model import Window
from tailgate.samples import Outcome, SampleLog
from tests.unit.run_examples import requests, samples

STARTS = st.lists(st.floats(0, 10), max_size=30)


def log_of(*rows):
    log = SampleLog()
    for row in rows:
        log.add(*row)
    return log


THREE = (
    ("GET", "Home", 0.5, 12.25, Outcome.SUCCESS),
    ("POST", "Buy", 1.5, 30.0, Outcome.FAILURE),
    ("GET", "Home", 2.5, 5000.0, Outcome.CENSORED),
)


def test_a_log_gives_back_what_was_added():
    frozen = log_of(*THREE).freeze()

    assert frozen.keys == ("GET Home", "POST Buy")
    assert frozen.key_index.tolist() == [0, 1, 0]
    assert frozen.start_s.tolist() == [0.5, 1.5, 2.5]
    assert frozen.latency_ms.tolist() == [12.25, 30.0, 5000.0]
    assert frozen.outcome.tolist() == [Outcome.SUCCESS, Outcome.FAILURE, Outcome.CENSORED]


def test_a_censored_request_is_a_failure_and_no_success():
    frozen = log_of(*THREE).freeze()

    assert (len(frozen), frozen.failures, frozen.censored) == (3, 2, 1)
    assert frozen.success_latencies_ms.tolist() == [12.25]


def test_one_sample_takes_21_bytes():
    frozen = log_of(*THREE).freeze()
    columns = (frozen.key_index, frozen.start_s, frozen.latency_ms, frozen.outcome)

    assert sum(column.itemsize for column in columns) == 21


def test_the_same_name_with_another_method_is_another_request():
    frozen = log_of(("GET", "Cart", 0, 1, 0), ("PUT", "Cart", 0, 2, 0)).freeze()

    assert [(key, some.latency_ms.tolist()) for key, some in frozen.by_key()] == [("GET Cart", [1]), ("PUT Cart", [2])]


def test_samples_are_handed_over_in_the_order_of_their_starts():
    slow, quick = ("GET", "Slow", 1.0, 900.0, 0), ("POST", "Quick", 1.5, 3.0, 1)

    # The quick one began later and ended first.
    frozen = log_of(quick, slow).freeze()

    assert frozen.start_s.tolist() == [1.0, 1.5]
    assert frozen.latency_ms.tolist() == [900.0, 3.0]
    assert frozen.outcome.tolist() == [0, 1]
    assert [frozen.keys[index] for index in frozen.key_index] == ["GET Slow", "POST Quick"]


def test_a_frozen_copy_does_not_change_when_recording_goes_on():
    log = log_of(*THREE)
    frozen = log.freeze()

    log.add("GET", "Home", 3.0, 1.0, 0)

    assert (len(frozen), len(log), len(log.freeze())) == (3, 4, 4)


def test_a_finished_log_takes_no_more():
    log = log_of(*THREE)
    finished = log.finish()

    with pytest.raises(BufferError):
        log.add("GET", "Home", 3.0, 1.0, 0)
    assert len(finished) == 3


def test_finishing_and_freezing_tell_the_same():
    log = log_of(*reversed(THREE))

    frozen, finished = log.freeze(), log.finish()

    for column in ("key_index", "start_s", "latency_ms", "outcome"):
        assert getattr(frozen, column).tolist() == getattr(finished, column).tolist()
    assert frozen.keys == finished.keys


def test_an_empty_log_is_no_samples():
    frozen = SampleLog().freeze()

    assert (len(frozen), frozen.failures, frozen.censored, frozen.keys) == (0, 0, 0, ())
    assert list(frozen.by_key()) == []
    assert len(frozen.within(Window(name="total", start_s=0, end_s=10))) == 0
    assert len(SampleLog().finish()) == 0


def test_a_request_belongs_to_the_window_in_which_it_started():
    # One that starts in the window and ends long after it; one that starts before and ends in it.
    some = samples([("GET Home", 1.9, 60_000.0, 0), ("GET Home", 0.9, 500.0, 0)])

    assert some.within(Window(name="hold", start_s=1, end_s=2)).latency_ms.tolist() == [60_000.0]


def test_a_window_includes_its_start_and_not_its_end():
    some = samples(requests(4, every_s=1.0))

    assert some.within(Window(name="hold", start_s=1, end_s=3)).start_s.tolist() == [1, 2]


def test_requests_come_in_alphabetical_order_without_those_that_have_no_samples():
    some = samples([*requests(1, key="POST Buy"), *requests(2, key="GET Home", start_s=5), *requests(1, key="GET A")])

    assert [(key, len(part)) for key, part in some.by_key()] == [("GET A", 1), ("GET Home", 2), ("POST Buy", 1)]
    assert some.within(Window(name="late", start_s=5, end_s=9)).present_keys == ("GET Home",)
    assert some.of_key("GET Home").start_s.tolist() == [5, 5.01]


def test_the_log_counts_its_failures_as_it_goes():
    assert log_of(*THREE).failures == 2


@pytest.mark.parametrize(("start_s", "expected"), [(0, (3, 2)), (0.5, (3, 2)), (1.0, (2, 2)), (2.6, (0, 0))])
def test_requests_since_a_time_are_counted_with_their_failures(start_s, expected):
    assert log_of(*THREE).count_since(start_s) == expected


def test_an_empty_log_counts_nothing():
    assert SampleLog().count_since(0) == (0, 0)


def test_a_log_can_be_counted_and_then_added_to():
    log = log_of(*THREE)

    log.count_since(0)
    log.add("GET", "Home", 3.0, 1.0, 0)

    assert log.count_since(0) == (4, 2)


def test_recent_latencies_are_those_of_the_last_successes():
    log = log_of(*((("GET", "Home", n, float(n), n % 2)) for n in range(10)))

    assert log.recent_latencies_ms(4).tolist() == [6, 8]
    assert log.recent_latencies_ms(500).tolist() == [0, 2, 4, 6, 8]
    assert SampleLog().recent_latencies_ms(5).size == 0


@given(STARTS, st.floats(0, 10))
def test_two_windows_that_meet_share_every_request_between_them(starts, border_s):
    some = samples([("GET Home", start_s, 1.0, 0) for start_s in starts])
    before = some.within(Window(name="before", start_s=0, end_s=border_s))
    after = some.within(Window(name="after", start_s=border_s, end_s=10.1))

    assert len(before) + len(after) == len(starts)


@given(st.lists(st.booleans(), max_size=20))
def test_selecting_keeps_exactly_what_the_mask_says(mask):
    some = samples(requests(len(mask)))

    chosen = some.select(np.array(mask, dtype=bool))

    assert chosen.start_s.tolist() == [start for start, wanted in zip(some.start_s, mask, strict=True) if wanted]
