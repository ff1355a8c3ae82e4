"""What a person reads on the terminal."""

# ruff: noqa: RUF001 - dashes and crosses are what is printed

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailgate.model import CheckOutcome, ErrorCount, Severity, StageResult, Verdict
from tailgate.reports.highlights import render_duration, short_limit, worst_first
from tailgate.reports.record import run_record
from tailgate.reports.terminal import render_run, render_summary
from tailgate.reports.text import cell_width
from tests.unit.judged_examples import check, failed_run, invalid_run, judged, summary

PASSED = """\
── peak ────────────────────────────────── perf_tests/test_peak.py::test_peak ──
request                   n  failed  p50 ms  p95 ms  p99 ms  limit
GET Get_All_Products  1,840       0    12.3    23.1    31.0  p95 ≤ 250 ms  ✓
POST Buy_Product        413       0    18.0    31.2     100  –
total                 2,253       0    13.1    25.0    48.0  failed ≤ 1 %  ✓

counters   oversold_units 0 ✓   successful_purchases 411

PASS peak: 3 checks, 2,253 requests in 12.0 s
"""

FAILED = """\
── spike ─────────────────────────────── perf_tests/test_spike.py::test_spike ──
request                       n  failed  p50 ms  p95 ms  p99 ms  limit
GET Get_All_Products      1,840       0    12.3    23.1    31.0  p95 ≤ 250 ms  ✓
GET Search_By_Category      402       0    21.5    81.0    97.7  p95 ≤ 75 ms   !
POST Get_Pro…ils_By_Name    556       0     9.4    18.8    22.9  –
POST Buy_Product            413      70    31.0   250.4   1,012  p95 ≤ 250 ms  ✗
GET Health                    0       –       –       –       –  p95 ≤ 50 ms   ✗
total                     3,211      70    14.2    61.0     298  failed ≤ 1 %  ✗

stage                         n  failed  p50 ms  p95 ms  p99 ms  limit
normal (5 users)          1,000       0    12.0    61.0    80.0  p95 ≤ 100 ms  ✓
spike (58 of 60 users)    1,100      61    20.0     300     900  –
recovery (5 users)        1,111       9    15.0     412     600  p95 ≤ 300 ms  ✗

counters   successful_purchases 343 ✓   failed_purchases 70   oversold_units 2 ✗
           units_sold 1,029   retries 12
failed     GET Health: p95 has no data, wanted <= 50 ms: no request of this name
             was sent (n = 0; thresholds.yaml:18)
           oversold_units: count 2 breaks <= 0 (n = 1; thresholds.yaml:28)
           total: failure_ratio 2.17 % breaks <= 1 % (n = 3,211;
             thresholds.yaml:9)
           total [recovery]: p95 412 ms breaks <= 300 ms (n = 1,111;
             thresholds.yaml:25)
           POST Buy_Product: p95 250.4 ms breaks <= 250 ms (n = 413;
             thresholds.yaml:14)
warnings   GET Search_By_Category: p95 81.0 ms breaks <= 75 ms (n = 402;
             thresholds.yaml:17)
errors     61 × POST Buy_Product: HTTPError: 503 Service Unavailable, wanted 200
             or 409
           5 × POST Buy_Product: TimeoutError: no answer within 2.0 s
           2 × POST Buy_Product: ConnectionResetError
           1 × POST Buy_Product: HTTPError: 500
           1 × POST Buy_Product: HTTPError: 502
           and 1 more of 1 other kind
notes      p95 came back below 300 ms 2.1 s after the spike
           cut after 12.0 s: the failure budget of 1 % of 10,000 requests could
             no longer be kept
uncovered  POST Get_Product_Details_By_Name

FAIL spike: 5 of 11 checks failed, 1 warning, 3,211 requests in 12.0 s
"""

INVALID_ASCII = """\
-- soak ---------------------------------- perf_tests/test_soak.py::test_soak --
request  n  failed  p50 ms  p95 ms  p99 ms  limit
total    0       0       -       -       -  p95 <= 250 ms  FAIL

invalid    no samples: 0 requests in 3.0 s
           20 users died: ConnectionRefusedError (20 times)
failed     total: p95 has no data, wanted <= 250 ms: no successful request
             (n = 0; thresholds.yaml:14)

INVALID soak: cannot be judged for 2 reasons, 0 requests in 3.0 s
"""

NARROW = """\
── peak ── perf_tests/te…y::test_peak ──
request               failed  p95 ms
GET Get_All_Products       0    23.1  ✓
POST Buy_Product           0    31.2
total                      0    25.0  ✓

counters   oversold_units 0 ✓
           successful_purchases 411

PASS peak: 3 checks
"""

SUMMARY = """\
verdict  scenario  checks  requests  failed  p95 ms    time
PASS     peak         3/3     2,253       0    25.0  12.0 s
FAIL     spike       5/11     3,211      70    61.0  12.0 s
INVALID  soak         0/1         0       0       –   3.0 s

3 load runs: 1 pass, 1 fail, 1 invalid
"""


def text_of(run, width=80, **options):
    return "\n".join(render_run(run_record(run), width, **options)) + "\n"


def without_colour(text):
    return re.sub(r"\033\[[0-9;]*m", "", text)


def line_with(run, start, width=80):
    return next(line for line in render_run(run_record(run), width) if line.startswith(start))


def test_a_run_that_passed_is_short():
    assert text_of(judged()) == PASSED


def test_a_run_that_failed_says_everything_in_80_columns():
    assert text_of(failed_run()) == FAILED


def test_an_invalid_run_says_why_and_ascii_is_enough():
    assert text_of(invalid_run(), unicode=False) == INVALID_ASCII


def test_a_narrow_terminal_keeps_names_p95_and_marks():
    assert text_of(judged(), 40) == NARROW


def test_a_wide_terminal_gives_names_more_room():
    assert line_with(failed_run(), "POST Get", 100).startswith("POST Get_Product_Details_By_Name    556")


def test_the_overview_has_one_line_a_run():
    records = [run_record(run) for run in (judged(), failed_run(), invalid_run())]

    assert "\n".join(render_summary(records)) + "\n" == SUMMARY
    assert render_summary(records[:1]) == []


@pytest.mark.parametrize("run", [judged(), failed_run(), invalid_run()])
def test_colour_is_only_by_parameter_and_changes_no_character(run):
    plain, coloured = text_of(run), text_of(run, color=True)

    assert "\033" not in plain
    assert "\033[" in coloured
    assert without_colour(coloured) == plain


def test_a_failing_row_is_red_where_it_failed():
    line = next(line for line in render_run(run_record(failed_run()), color=True) if line.startswith("POST Buy"))

    assert re.findall(r"\033\[1;31m(.*?)\033\[0m", line) == ["250.4", "p95 ≤ 250 ms", "✗"]


@pytest.mark.parametrize(("color", "marks"), [("32", {"✓"}), ("33", {"!"})])
def test_marks_have_their_colours(color, marks):
    rows = [line for line in render_run(run_record(failed_run()), color=True) if line.startswith("GET ")]
    found = {line.split("\033")[-2].partition("m")[2] for line in rows if f"\033[{color}m" in line}

    assert found == marks


def test_a_run_with_warnings_only_says_so():
    slow = check("GET A", "p95_ms", 81.0, max=75, severity=Severity.WARN)
    run = judged(verdict=Verdict.WARN, checks=(slow, check("total", "p95_ms", 1.0, max=2)))

    assert text_of(run).splitlines()[-1] == "WARN peak: 2 checks, 1 warning, 2,253 requests in 12.0 s"


def test_checks_that_only_describe_are_not_counted():
    steps = tuple(check("total", "p95_ms", 9.0, max=5, window=f"step {n}", severity=Severity.INFO) for n in (1, 2))
    run = judged(checks=(*steps, check("total", "p95_ms", 1.0, max=2)))

    assert text_of(run).splitlines()[-1] == "PASS peak: 1 check, 2,253 requests in 12.0 s"


def test_a_stage_is_marked_by_a_check_on_one_of_its_requests():
    run = failed_run()
    checks = (
        check("POST Buy_Product", "p95_ms", 9.0, max=5, window="spike"),
        check("GET Get_All_Products", "p95_ms", 1.0, max=5, window="spike"),
        check("total", "p95_ms", 4.0, max=5, window="spike"),
    )

    assert line_with(replace(run, checks=checks), "spike (58").endswith("1 of 3 checks  ✗")


def test_a_request_that_need_not_be_sent_is_neither_good_nor_bad():
    optional = replace(check("GET Rare", "p95_ms", None, max=50, samples=0), outcome=CheckOutcome.PASS)

    line = line_with(judged(checks=(optional,)), "GET Rare")

    assert " ".join(line.split()) == "GET Rare 0 – – – – p95 ≤ 50 ms –"


def test_uncovered_requests_take_one_line():
    run = judged(uncovered=tuple(f"GET Route_Number_{n}" for n in range(10)))

    assert line_with(run, "uncovered") == (
        "uncovered  GET Route_Number_0, GET Route_Number_1, GET Route_Number_2 and 7 more"
    )
    assert len([line for line in text_of(run).splitlines() if "Route_Number" in line]) == 1


def test_an_error_that_carries_a_whole_page_is_cut_to_two_lines():
    run = judged(errors=(ErrorCount(where="GET A", error="<html>" + "lorem ipsum " * 900 + "</html>", count=3),))
    lines = text_of(run).splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith("errors"))

    assert lines[start].startswith("errors     3 × GET A: <html>lorem")
    assert lines[start + 1].endswith("</html>")
    assert lines[start + 2] == ""


@pytest.mark.parametrize(
    ("checks", "limit"),
    [
        ([check("A", "p95_ms", 10, max=100), check("A", "p99_ms", 90, max=100)], "p99 ≤ 100 ms"),
        ([check("A", "p95_ms", 99, max=100), check("A", "failures", 3, max=2)], "failed ≤ 2"),
        ([check("A", "p95_ms", 110, max=100), check("A", "p99_ms", 150, max=100)], "p99 ≤ 100 ms"),
        ([check("A", "p95_ms", 900, max=1, severity=Severity.WARN), check("A", "p50_ms", 2, max=1)], "p50 ≤ 1 ms"),
        ([check("A", "failures", 0, max=0), check("A", "p95_ms", 1, max=100)], "p95 ≤ 100 ms"),
        ([check("A", "throughput_rps", 21, min=20), check("A", "p95_ms", 1, max=100)], "throughput ≥ 20/s"),
        ([check("A", "requests", 11, min=10, max=1000)], "n ≥ 10"),
        ([check("A", "requests", 999, min=10, max=1000)], "n ≤ 1,000"),
        ([check("A", "requests", 0, min=10, max=1000)], "n ≥ 10"),
        ([check("A", "p99.9_ms", 1, max=0.25)], "p99.9 ≤ 0.25 ms"),
        ([check("A", "failure_ratio", 0.5, max=0.29)], "failed ≤ 29 %"),
        ([check("A", "p95_ms", None, max=100), check("A", "p99_ms", 150, max=100)], "p95 ≤ 100 ms"),
    ],
)
def test_the_most_critical_limit_is_shown(checks, limit):
    assert short_limit(worst_first(checks)[0]) == limit
    assert short_limit(worst_first(reversed(checks))[0]) == limit


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0.0 s"),
        (12, "12.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 0 s"),
        (125.4, "2 min 5 s"),
        (119.6, "2 min 0 s"),
        (3_599.4, "59 min 59 s"),
        (3_599.6, "1 h 0 min"),
        (3_720, "1 h 2 min"),
    ],
)
def test_a_length_of_time_reads_well_at_the_borders(seconds, shown):
    assert render_duration(seconds) == shown


@pytest.mark.parametrize(
    ("p95", "shown"),
    [(0.04, "0.0"), (99.94, "99.9"), (99.96, "100"), (999.4, "999"), (999.96, "1,000"), (1e30, "1e+30")],
)
def test_a_latency_reads_well_at_the_borders(p95, shown):
    run = judged(requests={"GET A": summary(7, 0, 1.0, p95, 2e30)})

    assert line_with(run, "GET A").split()[5] == shown


TEXTS = st.text(max_size=200)
FLOATS = st.none() | st.floats(min_value=0, allow_nan=False)
COUNTS = st.integers(0, 10**15)
SUMMARIES = st.builds(summary, COUNTS, COUNTS, *[st.floats(min_value=0, max_value=1e300)] * 3)
CHECKS = st.builds(
    check,
    st.sampled_from(["total", "GET A"]) | TEXTS,
    st.sampled_from(["p95_ms", "p99.99_ms", "failure_ratio", "throughput_rps", "requests", "count"]),
    FLOATS,
    min=st.none() | st.floats(0, 1e9),
    max=st.floats(0, 1e300),
    window=st.sampled_from(["total", "hold"]) | TEXTS,
    severity=st.sampled_from(Severity),
    note=TEXTS,
)
STAGES = st.builds(
    StageResult, name=st.just("hold") | TEXTS, start_s=st.just(0.0), end_s=st.just(1.0), users=COUNTS,
    users_reached=COUNTS, summary=SUMMARIES,
)  # fmt: skip
RUNS = st.builds(
    judged,
    test=TEXTS,
    scenario=TEXTS,
    duration_s=st.floats(0, 1e12),
    verdict=st.sampled_from(Verdict),
    reasons=st.lists(TEXTS, max_size=3).map(tuple),
    checks=st.lists(CHECKS, max_size=5).map(tuple),
    requests=st.dictionaries(st.just("GET A") | TEXTS, SUMMARIES, max_size=4),
    total=SUMMARIES,
    counters=st.dictionaries(TEXTS, st.floats() | COUNTS, max_size=4),
    stages=st.lists(STAGES, max_size=3).map(tuple),
    errors=st.lists(st.builds(ErrorCount, where=TEXTS, error=TEXTS, count=COUNTS), max_size=7).map(tuple),
    uncovered=st.lists(TEXTS, max_size=4).map(tuple),
    notes=st.lists(TEXTS, max_size=2).map(tuple),
)


@settings(max_examples=60, deadline=None)
@given(run=RUNS, width=st.integers(1, 200), unicode=st.booleans())
def test_no_line_is_wider_than_the_terminal(run, width, unicode):
    records = [run_record(run), run_record(judged())]

    for color in (False, True):
        options = {"color": color, "unicode": unicode}
        for line in render_run(records[0], width, **options) + render_summary(records, width, **options):
            shown = without_colour(line)
            assert cell_width(shown) <= width
            assert len(shown.splitlines()) <= 1
            assert "\033" not in shown
            assert color or shown == line
            assert unicode or shown.isascii()


def test_what_a_comparison_says_stands_below_all_else_and_explains_the_verdict():
    compared = judged(
        verdict=Verdict.FAIL,
        notes=("a note",),
        comparison=("peak against baseline 'main': regressed", "  fail: total: p95 regressed"),
    )
    lines = render_run(run_record(compared))

    assert lines[-1] == "FAIL peak: 3 checks, the comparison failed, 2,253 requests in 12.0 s"
    start = lines.index("notes      a note")
    assert lines[start + 1 : start + 3] == [
        "compared   peak against baseline 'main': regressed",
        "           fail: total: p95 regressed",
    ]
