"""Requests in histograms answer the questions that exact samples answer."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailgate.baseline import cut_blocks
from tailgate.distributions import ERROR_RATIO
from tailgate.histograms import Histograms
from tailgate.model import Window
from tailgate.samples import Outcome, SampleLog, Samples, exact
from tailgate.windows import summarise

KEYS = ("GET Home", "POST Buy", "GET Cart")
ROWS = st.lists(
    st.tuples(
        st.sampled_from(KEYS), st.floats(0, 9.99), st.floats(0.1, 1e4), st.sampled_from([Outcome.SUCCESS, *Outcome])
    ),
    min_size=1,
    max_size=60,
)


def logged(rows, *, most_exact, seal_every=7):
    log = SampleLog(most_exact=most_exact)
    for number, (key, start_s, latency_ms, outcome) in enumerate(rows, 1):
        log.add(*key.split(), start_s, latency_ms, outcome)
        if number % seal_every == 0:
            log.seal()
    return log


def both(rows):
    """The same requests exactly and in histograms."""
    return logged(rows, most_exact=len(rows)).finish(), logged(rows, most_exact=0).finish()


def facts(measured):
    return measured.keys, len(measured), measured.failures, measured.censored, measured.longest_censored_ms


def check_same(exactly, counted, duration_s=10.0):
    assert facts(counted) == facts(exactly)
    assert counted.present_keys == exactly.present_keys
    ours, theirs = summarise(counted, duration_s), summarise(exactly, duration_s)
    for name in ("samples", "failures", "throughput_rps", "max_ms"):
        assert getattr(ours, name) == getattr(theirs, name), name
    for name in ("mean_ms", "p50_ms", "p95_ms", "p99_ms"):
        error = 1e-9 if name == "mean_ms" else 1.001 * ERROR_RATIO
        expected = getattr(theirs, name)
        assert getattr(ours, name) == (expected and pytest.approx(expected, rel=error)), name


@settings(max_examples=40)
@given(ROWS)
def test_counts_means_and_longest_are_equal_and_percentiles_nearly(rows):
    exactly, counted = both(rows)

    assert isinstance(exactly, Samples)
    assert isinstance(counted, Histograms)
    check_same(exactly, counted)


@settings(max_examples=40)
@given(ROWS, st.integers(0, 9), st.integers(1, 10))
def test_windows_between_whole_seconds_are_the_same(rows, start_s, length_s):
    window = Window(name="w", start_s=float(start_s), end_s=float(start_s + length_s))

    check_same(*(measured.within(window) for measured in both(rows)))


@settings(max_examples=40)
@given(ROWS)
def test_each_request_name_is_the_same(rows):
    exactly, counted = both(rows)
    found = dict(counted.by_key())

    assert list(found) == [key for key, _ in exactly.by_key()]
    for key, some in exactly.by_key():
        check_same(some, found[key])


@settings(max_examples=40)
@given(ROWS, st.lists(st.integers(0, 10), max_size=5))
def test_stretches_between_whole_seconds_are_the_same(rows, edges):
    for exactly, counted in zip(*(measured.split(sorted(edges)) for measured in both(rows)), strict=True):
        check_same(exactly, counted)


@given(ROWS)
def test_counts_by_second_are_the_same(rows):
    exactly, counted = both(rows)
    edges = np.arange(11.0)

    for ours, theirs in zip(counted.count_between(edges), exactly.count_between(edges), strict=True):
        assert ours.tolist() == theirs.tolist()
    assert counted.starts[:1000].sum() == exactly.starts.sum() == len(rows)
    assert counted.starts[: len(exactly.starts)].tolist() == exactly.starts.tolist()


@given(ROWS)
def test_slower_ones_by_second_are_the_same_for_a_limit_between_buckets(rows):
    # 100.05 ms lies in the middle between two middles, so that no latency of the exact side may be near it.
    rows = [row for row in rows if abs(row[2] / 100 - 1) > 0.002]
    if rows:
        exactly, counted = both(rows)
        edges = np.arange(11.0)

        assert counted.count_slower(100.0, edges).tolist() == exactly.count_slower(100.0, edges).tolist()


def test_an_edge_between_seconds_is_moved_to_the_nearest_one():
    _, counted = both([("GET Home", 0.5 + second, 10.0, Outcome.SUCCESS) for second in range(5)])
    sizes = [
        len(counted.within(Window(name="w", start_s=start_s, end_s=end_s)))
        for start_s, end_s in [(0.0, 1.4), (1.4, 2.6), (2.6, 5.0), (1.6, 1.9)]
    ]

    assert sizes == [1, 2, 2, 0]


def test_neighbouring_windows_share_no_request_and_lose_none():
    rows = [("GET Home", number / 7, 10.0, Outcome.SUCCESS) for number in range(70)]
    _, counted = both(rows)
    edges = [0.0, 0.5, 1.37, 4.5, 4.6, 9.99, 10.0]

    parts = [counted.within(Window(name="w", start_s=start_s, end_s=end_s)) for start_s, end_s in pairwise(edges)]
    assert sum(map(len, parts)) == 70


def test_a_saved_run_has_the_same_seconds_to_three_digits():
    source = np.random.default_rng(7)
    starts_s, latencies_ms = source.uniform(0, 5, 500), source.lognormal(3, 1, 500)
    rows = [("GET Home", *row, Outcome.SUCCESS) for row in zip(starts_s, latencies_ms, strict=True)]
    whole = Window(name="total", start_s=0.0, end_s=5.0)
    ours, theirs = (cut_blocks(measured, whole) for measured in both(rows)[::-1])

    assert (ours.samples, ours.failures, ours.max_ms) == (theirs.samples, theirs.failures, theirs.max_ms)
    assert ours.p95_ms == pytest.approx(theirs.p95_ms, rel=0.01)


def test_many_more_requests_than_are_looked_at_together(monkeypatch):
    monkeypatch.setattr("tailgate.histograms._AT_ONCE", 10)
    check_same(*both([(KEYS[number % 3], number / 30, 1.0 + number, Outcome(number % 3)) for number in range(290)]))


def test_every_single_request_cannot_be_had_from_histograms():
    exactly, counted = both([("GET Home", 0.5, 10.0, Outcome.SUCCESS)] * 3)

    assert exact(exactly) is exactly
    with pytest.raises(TypeError, match=r"only histograms are kept of 3 requests, and every single one is needed"):
        exact(counted)


def test_percentiles_of_a_part_without_successes_do_not_exist():
    _, counted = both([("GET Home", 0.5, 10.0, Outcome.FAILURE)])

    assert counted.successes.count == 0
    assert summarise(counted, 1.0).p95_ms is None


def test_the_rank_is_that_of_exact_samples():
    rows = [("GET Home", 0.0, float(2**number), Outcome.SUCCESS) for number in range(20)]
    _, counted = both(rows)

    assert [counted.successes.percentile(Fraction(rank, 20)) for rank in range(1, 21)] == [row[2] for row in rows]
