"""Figures with their units, as every report and every error prints them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailgate.model import render_beside, render_figure, render_limit
from tests.unit.judged_examples import check


@pytest.mark.parametrize(
    ("metric", "value", "shown"),
    [
        ("p95_ms", 0.04, "0.0 ms"),
        ("p95_ms", 1, "1.0 ms"),
        ("p95_ms", 99.94, "99.9 ms"),
        ("p95_ms", 99.96, "100 ms"),
        ("p95_ms", 999.4, "999 ms"),
        ("p95_ms", 999.96, "1,000 ms"),
        ("p99.9_ms", 1_234_567.8, "1,234,568 ms"),
        ("throughput_rps", 999.96, "1,000.0/s"),
        ("failure_ratio", 0.0217, "2.17 %"),
        ("failure_ratio", 0.29, "29 %"),
        ("failures", 12, "12"),
        ("count", 999_999, "999,999"),
        ("count", 1_234_567, "1,234,567"),
        ("count", 0.123456789, "0.123457"),
    ],
)
def test_a_figure_is_short_and_has_its_unit(metric, value, shown):
    assert render_figure(metric, value) == shown


@pytest.mark.parametrize(
    ("metric", "value", "shown"),
    [
        ("p95_ms", 250, "250 ms"),
        ("p95_ms", 0.25, "0.25 ms"),
        ("p95_ms", 1_500.5, "1,500.5 ms"),
        ("throughput_rps", 20, "20/s"),
        ("failure_ratio", 0.01, "1 %"),
        ("failure_ratio", 0.29, "29 %"),
        ("failure_ratio", 0.0005, "0.05 %"),
        ("count", 1_000_000, "1,000,000"),
    ],
)
def test_a_limit_is_shown_as_it_was_written(metric, value, shown):
    assert render_limit(metric, value) == shown


@pytest.mark.parametrize(
    ("metric", "value", "limit", "shown"),
    [
        ("p95_ms", 312.4, 250, "312 ms"),
        ("p95_ms", 250.4, 250, "250.4 ms"),
        ("p95_ms", 249.6, 250, "249.6 ms"),
        ("p95_ms", 250.0, 250, "250 ms"),
        ("p95_ms", 250.49, 250.45, "250.5 ms"),
        ("failure_ratio", 0.010_000_4, 0.01, "1.00004 %"),
        ("failure_ratio", 0.29, 0.29, "29 %"),
        ("throughput_rps", 19.96, 20, "19.96/s"),
    ],
)
def test_a_figure_is_never_shown_on_the_wrong_side_of_its_limit(metric, value, limit, shown):
    assert render_beside(metric, value, (None, limit)) == shown


@given(value=st.floats(0.001, 1e5), limit=st.floats(0.001, 1e5).map(lambda limit: float(f"{limit:.4g}")))
def test_a_breach_reads_as_a_breach(value, limit):
    value = float(f"{value:.8g}")
    shown = float(render_beside("p95_ms", value, (limit,)).removesuffix(" ms").replace(",", ""))

    assert (shown > limit, shown < limit) == (value > limit, value < limit)


def test_a_sentence_shows_by_how_little_a_limit_was_broken():
    assert str(check("GET A", "p95_ms", 250.4, max=250, samples=413)) == (
        "GET A: p95 250.4 ms breaks <= 250 ms (n = 413; thresholds.yaml:14)"
    )
