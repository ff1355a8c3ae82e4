"""Windows of a run, and the figures in them."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailgate.model import Stage, Window
from tailgate.samples import Outcome
from tailgate.windows import after_warmup, stage_windows, summarise, total_window
from tests.unit.run_examples import failures, requests, run, samples

UP = Stage(name="up", duration_s=2, users=5)
HOLD = Stage(name="hold", duration_s=6, users=5)
DOWN = Stage(name="down", duration_s=1, users=0)
LENGTHS = st.lists(st.floats(0.01, 1000), min_size=1, max_size=8)


def spans(windows):
    return [(window.name, window.start_s, window.end_s) for window in windows]


def test_stages_follow_one_another():
    assert spans(stage_windows([UP, HOLD, DOWN], ended_s=9)) == [("up", 0, 2), ("hold", 2, 8), ("down", 8, 9)]


def test_a_run_that_ended_early_cuts_its_last_stage_and_has_no_later_ones():
    assert spans(stage_windows([UP, HOLD, DOWN], ended_s=3.5)) == [("up", 0, 2), ("hold", 2, 3.5)]


def test_a_stage_that_would_begin_as_the_run_ends_was_not_begun():
    assert spans(stage_windows([UP, HOLD, DOWN], ended_s=2)) == [("up", 0, 2)]


def test_a_run_that_never_began_has_no_windows():
    assert stage_windows([UP, HOLD], ended_s=0) == ()


def test_rounding_begins_no_stage():
    # 0.1 + 0.2 is 0.30000000000000004, and Python's sum() is more exact than adding step by step.
    stages = [Stage(name=f"step_{n}", duration_s=length, users=n) for n, length in enumerate([0.1, 0.2, 0.3])]

    assert len(stage_windows(stages, ended_s=0.1 + 0.2)) == 2
    assert len(stage_windows(stages, ended_s=0.3)) == 2
    assert len(stage_windows(stages, ended_s=0.3 + 2e-16)) == 2


@given(LENGTHS, st.integers(0, 7))
def test_a_run_that_ended_with_a_stage_has_the_windows_up_to_that_one(lengths, last):
    stages = [Stage(name=f"stage_{n}", duration_s=length, users=n) for n, length in enumerate(lengths)]
    wanted = stages[: last + 1]

    windows = stage_windows(stages, ended_s=sum(stage.duration_s for stage in wanted))

    assert [window.name for window in windows] == [stage.name for stage in wanted]
    assert windows[0].start_s == 0
    assert all(one.end_s == other.start_s for one, other in pairwise(windows))


@pytest.mark.parametrize(("warmup_s", "start_s", "end_s"), [(0, 2, 8), (2, 2, 8), (3, 3, 8), (8, 8, 8), (20, 20, 20)])
def test_the_warm_up_is_cut_from_the_beginning_of_a_window(warmup_s, start_s, end_s):
    window = after_warmup(Window(name="hold", start_s=2, end_s=8), warmup_s)

    assert (window.name, window.start_s, window.end_s) == ("hold", start_s, end_s)
    assert window.duration_s == end_s - start_s


def test_the_whole_run_without_its_warm_up_is_called_total():
    assert spans([total_window(9, 1.5)]) == [("total", 1.5, 9)]


def test_a_request_that_starts_after_the_end_of_the_run_is_in_no_window():
    one = run(
        [*requests(3, start_s=9.95), *requests(7, start_s=10.0)], stages=[Stage(name="a", duration_s=10, users=1)]
    )

    assert len(one.samples) == 10
    assert one.total.samples == 3


def test_a_request_that_starts_in_the_warm_up_is_not_in_total_even_if_it_ends_later():
    one = run([("GET Home", 0.9, 5_000.0, Outcome.SUCCESS), *requests(2, start_s=1.0)], warmup_s=1.0)

    assert one.total.samples == 2
    assert one.total.max_ms == 10


def test_figures_of_latency_are_over_successes():
    figures = summarise(samples([*requests(3, 10), *requests(1, 50, start_s=1), *failures(4, start_s=2)]), 2.0)

    assert (figures.samples, figures.failures) == (8, 4)
    assert (figures.mean_ms, figures.p50_ms, figures.p95_ms, figures.p99_ms, figures.max_ms) == (20, 10, 50, 50, 50)


def test_throughput_is_successes_a_second_of_the_window():
    assert summarise(samples([*requests(30), *failures(10)]), 2.0).throughput_rps == 15


def test_without_a_success_there_is_no_latency():
    figures = summarise(samples(failures(5)), 2.0)

    assert (figures.mean_ms, figures.p50_ms, figures.p95_ms, figures.p99_ms, figures.max_ms) == (None,) * 5
    assert (figures.samples, figures.failures, figures.throughput_rps) == (5, 5, 0)


def test_an_empty_window_of_no_length_has_no_throughput():
    assert summarise(samples([]), 0.0).throughput_rps == 0


@given(st.lists(st.floats(0, 12), max_size=30), st.floats(0, 12))
def test_stages_and_warm_up_share_out_every_request_of_total_once(starts, warmup_s):
    rows = [("GET Home", start_s, 1.0, Outcome.SUCCESS) for start_s in starts]
    one = run(rows, stages=[UP, HOLD, DOWN], warmup_s=warmup_s)

    in_stages = sum(len(one.samples.within(after_warmup(window, warmup_s))) for window in one.windows)

    assert in_stages == one.total.samples == sum(warmup_s <= start_s < 9 for start_s in starts)
