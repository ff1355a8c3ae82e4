"""How a log hands its samples over: in order, and without copies where none are needed."""

import numpy as np
import pytest

from tailgate.model import Window
from tailgate.samples import SampleLog


@pytest.fixture
def log():
    """Three requests, the slow first one ending last, and the second of another name."""
    log = SampleLog()
    log.add("GET", "a", 2.0, 5.0, 0)
    log.add("GET", "b", 3.0, 7.0, 1)
    log.add("GET", "a", 1.0, 3000.0, 0)
    return log


@pytest.mark.parametrize("take", [SampleLog.freeze, SampleLog.finish])
def test_samples_are_in_the_order_in_which_they_started(log, take):
    samples = take(log)
    assert samples.start_s.tolist() == [1.0, 2.0, 3.0]
    assert samples.latency_ms.tolist() == [3000.0, 5.0, 7.0]
    assert samples.outcome.tolist() == [0, 0, 1]
    assert [samples.keys[index] for index in samples.key_index] == ["GET a", "GET a", "GET b"]


@pytest.mark.parametrize("take", [SampleLog.freeze, SampleLog.finish])
def test_an_empty_log_gives_no_samples(take):
    samples = take(SampleLog())
    assert len(samples) == 0
    assert samples.present_keys == ()


def test_recording_goes_on_after_a_look_and_leaves_what_was_seen_alone(log):
    seen = log.freeze()
    log.add("GET", "a", 0.5, 1.0, 0)
    assert len(seen) == 3
    assert log.finish().start_s.tolist() == [0.5, 1.0, 2.0, 3.0]


def test_nothing_can_be_recorded_after_the_end(log):
    samples = log.finish()
    with pytest.raises(BufferError):
        log.add("GET", "a", 4.0, 5.0, 0)
    assert len(samples) == len(log) == 3


def test_a_window_is_looked_at_without_copying_it(log):
    samples = log.finish()
    window = samples.within(Window(name="w", start_s=1.5, end_s=9.0))
    assert window.latency_ms.tolist() == [5.0, 7.0]
    assert np.shares_memory(window.latency_ms, samples.latency_ms)


def test_successes_with_failures_between_them_are_picked_one_by_one():
    log = SampleLog()
    for number, outcome in enumerate([0, 1, 0, 2]):
        log.add("GET", "a", number, 10.0 + number, outcome)
    assert log.finish().success_latencies_ms.tolist() == [10.0, 12.0]


def test_reordering_the_success_latencies_leaves_the_samples_alone(log):
    samples = log.finish()
    samples.success_latencies_ms.sort()
    assert samples.latency_ms.tolist() == [3000.0, 5.0, 7.0]


def test_numbers_stay_with_their_samples():
    log = SampleLog(is_numbered=True)
    log.add("GET", "a", 2.0, 5.0, 0, 4_611_686_018_427_387_905)
    log.add("GET", "a", 1.0, 7.0, 0, 4_611_686_018_427_387_904)
    log.add("GET", "a", 3.0, 7.0, 0)
    assert log.finish().number.tolist() == [4_611_686_018_427_387_904, 4_611_686_018_427_387_905, 0]


def test_samples_have_no_numbers_unless_they_were_asked_for(log):
    assert log.finish().number is None
