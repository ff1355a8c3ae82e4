"""The live line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailgate.reports.progress import Progress, Throughput, render_progress
from tailgate.reports.text import cell_width


def snapshot(**changes):
    fields = {
        "stage": "peak/hold",
        "users": 20,
        "throughput_rps": 412.2,
        "p95_ms": 23.14,
        "failures": 0,
        "left_s": 7.4,
    }
    return Progress(**{**fields, **changes})


def test_the_line_says_where_the_run_is():
    assert render_progress(snapshot()) == "peak/hold  20 users  412/s  p95 23.1 ms  0 failed  8 s left"


def test_the_rate_is_that_since_the_last_look_and_what_came_before_the_first_is_none():
    throughput = Throughput()

    assert [throughput.rps(*look) for look in ((0.004, 36), (0.504, 236), (0.504, 240), (2.504, 440))] == [
        0.0,
        400.0,
        0.0,
        100.0,
    ]


def test_nothing_measured_yet_is_a_dash():
    line = render_progress(snapshot(users=1, throughput_rps=0.0, p95_ms=None, left_s=-1.0), unicode=False)

    assert line == "peak/hold  1 user  0.0/s  p95 -  0 failed  0 s left"


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"throughput_rps": 9.94}, "9.9/s"),
        ({"throughput_rps": 9.96}, "10/s"),
        ({"throughput_rps": 999.6}, "1,000/s"),
        ({"p95_ms": 99.96}, "p95 100 ms"),
        ({"p95_ms": 999.96}, "p95 1,000 ms"),
        ({"left_s": 59.5}, "1 min 0 s left"),
        ({"left_s": 59.0}, "59 s left"),
        ({"left_s": 3_660}, "1 h 1 min left"),
        ({"failures": 1_234}, "1,234 failed"),
    ],
)
def test_figures_read_well_at_the_borders(changes, shown):
    assert shown in render_progress(snapshot(**changes)).split("  ")


def test_a_narrow_terminal_shortens_the_stage_and_then_loses_what_is_last():
    assert render_progress(snapshot(stage="a_long_scenario/hold"), 60) == (
        "a_lon…hold  20 users  412/s  p95 23.1 ms  0 failed  8 s left"
    )
    assert render_progress(snapshot(stage="a_long_scenario/hold"), 30) == "a_lo…old  20 users  412/s  p95"


@given(
    stage=st.text(),
    users=st.integers(0, 10**9),
    rps=st.floats(0, 1e12),
    p95=st.none() | st.floats(0, 1e12),
    width=st.integers(1, 120),
)
def test_the_line_is_never_wider_than_the_terminal(stage, users, rps, p95, width):
    line = render_progress(snapshot(stage=stage, users=users, throughput_rps=rps, p95_ms=p95), width)

    assert cell_width(line) <= width
    assert len(line.splitlines()) <= 1
