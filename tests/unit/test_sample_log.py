"""How a log hands its samples over: in order, and without copies where none are needed."""

import numpy as np
import pytest

from tailgate.histograms import Histograms
from tailgate.model import Window
from tailgate.samples import Outcome, SampleLog, Samples


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


def fill(log, count, *, seal_every=None):
    for number in range(count):
        log.add("GET", "ab"[number % 2], number / 10, 10.0 + number, number % 5 == 0)
        if seal_every and (number + 1) % seal_every == 0:
            log.seal()
    return log


def columns_of(samples):
    return [getattr(samples, name).tolist() for name in ("key_index", "start_s", "latency_ms", "outcome")]


def test_pieces_make_up_the_same_samples():
    assert columns_of(fill(SampleLog(), 100, seal_every=7).finish()) == columns_of(fill(SampleLog(), 100).finish())


def test_what_ended_is_handed_over_once_and_in_its_order():
    log = fill(SampleLog(), 10)
    first = log.seal()
    fill(log, 5)

    assert [list(piece["latency_ms"]) for piece in first] == [[10.0 + number for number in range(10)]]
    assert [len(piece["start_s"]) for piece in log.seal()] == [5]
    assert log.seal() == []


def test_a_look_in_between_takes_nothing_from_whoever_keeps_the_pieces():
    log = fill(SampleLog(), 10)
    assert len(log.freeze()) == 10
    fill(log, 5)

    assert [len(piece["start_s"]) for piece in log.seal()] == [10, 5]


def test_samples_are_exact_up_to_the_limit_and_histograms_beyond_it():
    assert isinstance(fill(SampleLog(most_exact=100), 100, seal_every=7).finish(), Samples)
    counted = fill(SampleLog(most_exact=99), 100, seal_every=7).finish()
    assert isinstance(counted, Histograms)
    assert (len(counted), counted.failures) == (100, 20)


def test_a_log_that_was_never_sealed_turns_into_histograms_at_its_end():
    assert isinstance(fill(SampleLog(most_exact=50), 100).finish(), Histograms)


def test_exact_samples_are_folded_little_by_little(monkeypatch):
    monkeypatch.setattr("tailgate.samples._FOLDED_AT_ONCE", 20)
    log = fill(SampleLog(most_exact=95), 100, seal_every=10)
    assert len(log._histograms) == 20
    log.seal()
    assert len(log._histograms) == 40
    assert len(log) == len(log.finish()) == 100


def test_recording_goes_on_after_a_look_at_histograms():
    log = fill(SampleLog(most_exact=10), 50, seal_every=7)
    seen = log.freeze()
    fill(log, 50)

    assert (len(seen), len(log.finish())) == (50, 100)
    assert seen.starts.sum() == 50


def test_nothing_can_be_recorded_after_the_end_of_a_long_run():
    log = fill(SampleLog(most_exact=10), 50, seal_every=7)
    log.finish()
    with pytest.raises(BufferError):
        log.add("GET", "a", 4.0, 5.0, 0)


@pytest.mark.parametrize("most_exact", [1000, 50, 0])
@pytest.mark.parametrize("seal_every", [None, 7, 50])
def test_requests_since_a_moment_are_counted_in_every_part_of_a_log(most_exact, seal_every):
    # They start at 0.0, 0.1, ..., 9.9 s, and every fifth fails.
    log = fill(SampleLog(most_exact=most_exact), 100, seal_every=seal_every)

    assert log.count_since(3.0) == (70, 14)


def test_the_last_latencies_are_those_before_a_piece_ended_as_well():
    log = fill(SampleLog(), 10)
    log.seal()
    log.add("GET", "a", 1.0, 99.0, 0)

    assert log.recent_latencies_ms(4).tolist() == [17.0, 18.0, 19.0, 99.0]


def test_a_long_run_has_no_numbers():
    log = SampleLog(is_numbered=True, most_exact=0)
    log.add("GET", "a", 1.0, 7.0, 0, 4711)
    log.seal()
    assert isinstance(log.finish(), Histograms)


def piece_of(log):
    (piece,) = log.seal()
    return log.pairs, {name: column.tobytes() for name, column in piece.items()}


def test_what_another_log_recorded_can_be_added(log):
    other = SampleLog()
    other.add("GET", "b", 0.5, 1.0, 0)
    other.add("PUT", "c", 4.0, 2.0, 2)
    log.extend(*piece_of(other))
    samples = log.finish()

    assert [samples.keys[index] for index in samples.key_index] == ["GET b", "GET a", "GET a", "GET b", "PUT c"]
    assert samples.latency_ms.tolist() == [1.0, 3000.0, 5.0, 7.0, 2.0]
    assert (log.failures, len(log)) == (2, 5)


def test_nothing_can_be_added_to_a_log(log):
    log.extend((), dict.fromkeys(("key_index", "start_s", "latency_ms", "outcome"), b""))
    assert len(log) == 3


@pytest.mark.parametrize("most_exact", [100, 10], ids=["exact", "histograms"])
@pytest.mark.parametrize("take", [SampleLog.freeze, SampleLog.finish])
def test_methods_and_names_that_make_one_key_lose_no_samples(most_exact, take):
    log = SampleLog(most_exact=most_exact)
    for second in range(5):
        log.add("A B", "C", second, 1.0, Outcome.SUCCESS)
        log.add("A", "B C", second, 999.0, Outcome.FAILURE)
        log.add("A", "D", second, 1.0, Outcome.SUCCESS)
    taken = take(log)

    assert (taken.keys, taken.present_keys) == (("A B C", "A D"), ("A B C", "A D"))
    found = {key: (len(part), part.failures) for key, part in taken.by_key()}
    assert found == {"A B C": (10, 5), "A D": (5, 0)}
