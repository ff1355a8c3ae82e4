"""Rounds cut into blocks, and requests paired up in them."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailgate.compare import Arm, CompareSettings, count_failures
from tailgate.compare_blocks import block_length_s, cut_blocks, pair_up, quantile_by_block
from tailgate.model import Window


def window(start_s, end_s):
    return Window(name="round", start_s=start_s, end_s=end_s)


def arm(scheduled_s, latency_ms=20.0, *, failed=()):
    scheduled_s = np.array(scheduled_s, dtype=float)
    is_failure = np.isin(np.arange(scheduled_s.size), failed)
    return Arm(
        scheduled_s=scheduled_s,
        latency_ms=np.broadcast_to(np.asarray(latency_ms, dtype=float), scheduled_s.shape),
        is_failure=is_failure,
    )


def every(step_s, start_s, end_s):
    return np.arange(start_s, end_s, step_s)


def test_blocks_are_equal_and_end_with_their_round():
    blocks = cut_blocks([window(5, 7.5), window(10, 12)], 1.0)
    assert blocks.start_s.tolist() == [5, 6.25, 10, 11]
    assert blocks.end_s.tolist() == [6.25, 7.5, 11, 12]
    assert blocks.round_index.tolist() == [0, 0, 1, 1]


def test_a_round_of_thirty_seconds_that_floats_made_shorter_has_thirty_blocks():
    assert len(cut_blocks([window(0.1, 0.1 + 29.999999999)], 1.0)) == 30


def test_a_round_shorter_than_a_block_is_one_block_and_an_empty_one_none():
    assert len(cut_blocks([window(0, 0.5), window(1, 1)], 1.0)) == 1


def test_what_lies_between_or_outside_rounds_is_in_no_block():
    blocks = cut_blocks([window(0, 2), window(10, 12)], 1.0)
    assert blocks.index_of(np.array([-1, 0, 0.999, 1, 2, 9.9, 10, 11.5, 12])).tolist() == [
        -1,
        0,
        0,
        1,
        -1,
        -1,
        2,
        3,
        -1,
    ]
    assert cut_blocks([], 1.0).index_of(np.array([1.0])).tolist() == [-1]


def test_rounds_that_overlap_are_refused():
    with pytest.raises(ValueError, match="must be in order of time and must not overlap"):
        cut_blocks([window(0, 2), window(1, 3)], 1.0)


@pytest.mark.parametrize(
    ("samples", "duration_s", "length_s"), [(9000, 30, 1), (1200, 30, 1), (1199, 30, 2), (100, 30, 12), (0, 30, 1)]
)
def test_a_block_is_as_many_whole_seconds_as_forty_samples_take(samples, duration_s, length_s):
    assert block_length_s(samples, duration_s, 40) == length_s


def test_a_rarer_quantile_asks_for_more_samples():
    assert [CompareSettings(q=Fraction(q)).block_samples for q in ("0.5", "0.95", "0.99")] == [40, 40, 200]
    assert [CompareSettings(q=Fraction(q)).wanted_samples for q in ("0.5", "0.95", "0.99")] == [1000, 1000, 5000]


@given(st.lists(st.lists(st.floats(-5, 5), min_size=1, max_size=30), min_size=1, max_size=5), st.floats(0.01, 0.99))
def test_quantiles_by_block_are_those_of_numpy(blocks, q):
    values = np.concatenate([np.array(block) for block in blocks])
    index = np.repeat(np.arange(len(blocks)), [len(block) for block in blocks])
    shuffled = np.random.default_rng(0).permutation(values.size)
    found = quantile_by_block(values[shuffled], index[shuffled], len(blocks), q)
    assert found == pytest.approx([np.quantile(block, q) for block in blocks], abs=1e-12)


def test_a_pair_in_which_an_arm_has_too_few_samples_is_dropped_and_parts_its_neighbours():
    base = arm(every(0.01, 0, 5))
    candidate = arm(np.concatenate([every(0.01, 0, 2), every(0.1, 2, 3), every(0.01, 3, 5)]))
    pairs = pair_up(base, candidate, rounds=[window(0, 5)], timeout_ms=1e4, settings=CompareSettings())
    assert (pairs.count, pairs.dropped) == (4, 1)
    assert pairs.is_neighbour.tolist() == [True, False, True]
    assert pairs.base_log.size == pairs.candidate_log.size == 400


def test_the_last_block_of_a_round_is_no_neighbour_of_the_first_of_the_next():
    both = arm(np.concatenate([every(0.01, 0, 2), every(0.01, 2, 4)]))
    pairs = pair_up(both, both, rounds=[window(0, 2), window(2, 4)], timeout_ms=1e4, settings=CompareSettings())
    assert pairs.is_neighbour.tolist() == [True, False, True]


def test_a_failure_that_took_longer_than_the_timeout_counts_as_what_it_took():
    assert arm([0, 1], [60_000, 9_000], failed=[0, 1]).charged_ms(10_000).tolist() == [60_000, 10_000]
    assert arm([0], [np.inf], failed=[0]).charged_ms(10_000).tolist() == [10_000]


def test_a_failure_counts_as_the_timeout_however_fast_it_was():
    assert arm([0, 1, 2], [5, 1e-9, 7], failed=[1]).charged_ms(10_000).tolist() == [5, 10_000, 7]
    assert arm([0], [np.nan], failed=[0]).charged_ms(10_000).tolist() == [10_000]


@pytest.mark.parametrize("latency_ms", [0.0, -1.0, np.nan, np.inf])
def test_a_success_needs_a_latency_that_has_a_logarithm(latency_ms):
    with pytest.raises(ValueError, match="not above 0 ms"):
        arm([0.0], [latency_ms])


def test_columns_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match="wanted one"):
        Arm(scheduled_s=np.zeros(2), latency_ms=np.ones(3), is_failure=np.zeros(2, dtype=bool))


def test_failures_are_counted_block_by_block():
    base, candidate = arm([0.1, 0.2, 1.5, 9], failed=[1, 3]), arm([0.3, 1.1, 1.2], failed=[1, 2])
    counts = count_failures(base, candidate, [window(0, 2)])
    assert (counts.base.tolist(), counts.base_requests.tolist()) == ([1, 0], [2, 1])
    assert (counts.candidate.tolist(), counts.candidate_requests.tolist()) == ([0, 2], [1, 2])
