"""A duet in the reports: record, terminal, Markdown, JUnit."""

import json
import math
import re
from dataclasses import replace

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailgate.duet_text import render_change
from tailgate.model import Outcome, Severity, Verdict
from tailgate.reports.junit import properties
from tailgate.reports.record import changes_of, checks_of, report_document, report_schema, run_record
from tailgate.reports.summary import render_markdown
from tailgate.reports.terminal import render_run, render_summary
from tailgate.reports.text import cell_width
from tests.unit.change_examples import ALIKE, ALL, CPU, FACTS, FAILURES, MARKED, SLOWER, UNSURE, change, duet
from tests.unit.judged_examples import beyond, check, judged

VALIDATOR = jsonschema.Draft202012Validator(report_schema())
SLOWER_TEXT = (
    "total: p95 regressed, 46.1 -> 55.9 ms: +26.3 % (+19.8 to +32.7 %), limit +10.0 % "
    "(2 rounds, 12,040 and 11,980 samples; could have failed +16 %)"
)

FAILED = """\
── checkout ────────────────────── perf_tests/test_checkout.py::test_checkout ──
duet       main (1a2b3c4) -> working tree (5d6e7f8, with uncommitted changes)
           2 of at most 4 rounds, both on the same cores, 41 % busy

compared                baseline  candidate  change                    outcome
total: p95               46.1 ms    55.9 ms  +26.3 % (+19.8 to +32.7)  regressed
total: cpu              0.980 ms    1.00 ms  +2.4 % (-1.3 to +6.2)     unchanged
GET Get_All…ducts: p95   46.3 ms    56.4 ms  +25.3 % (+18.9 to +31.9)  slower

others     not told apart: GET Search_By_Category, GET Health

failed     total: p95 regressed, 46.1 -> 55.9 ms: +26.3 % (+19.8 to +32.7 %),
             limit +10.0 % (2 rounds, 12,040 and 11,980 samples; could have
             failed +16 %)

FAIL checkout: 1 of 2 comparisons regressed, 2 rounds in 1 min 10 s
"""

NARROW = """\
── checkout ── perf_tests/…t_checkout ──
duet       main (1a2b3c4) -> working
             tree (5d6e7f8, with
             uncommitted changes)
           2 of at most 4 rounds, both
             on the same cores, 41 %
             busy

compared    outcome
total: p95  regressed
total: cpu  unchanged
"""


def text_of(run, width=80, **options):
    return "\n".join(render_run(run_record(run), width, **options)) + "\n"


def test_eighty_columns_have_room_for_both_values_of_the_usual_rules():
    unsure = replace(CPU, outcome=Outcome.INCONCLUSIVE)
    lines = text_of(duet(SLOWER, unsure, replace(FAILURES, low=-0.0032, high=0.0034))).splitlines()

    assert "compared       baseline  candidate  change                         outcome" in lines
    assert "total: failed       0 %        0 %  +0.00 points (-0.32 to +0.34)  unchanged" in lines


# Record


def test_a_document_with_duets_keeps_its_schema():
    records = [run_record(duet(*ALL)), run_record(judged()), run_record(duet(verdict=Verdict.INVALID))]

    assert [error.message for error in VALIDATOR.iter_errors(report_document(records))] == []


@pytest.mark.parametrize("place", ["duet", "change"])
def test_the_schema_refuses_unknown_keys_of_a_duet(place):
    record = json.loads(json.dumps(run_record(duet(SLOWER))))
    (record["duet"] if place == "duet" else record["changes"][0])["surprise"] = 1

    assert any("surprise" in str(error.context or error.message) for error in VALIDATOR.iter_errors(
        report_document([record])))  # fmt: skip


def test_a_run_that_is_no_duet_has_neither_facts_nor_changes():
    record = run_record(judged())

    assert (record["duet"], record["changes"]) == (None, [])


def test_a_change_is_recorded_with_its_rule_and_its_sentence():
    (recorded,) = run_record(duet(SLOWER))["changes"]

    assert recorded == {
        "subject": "total",
        "window": "total",
        "outcome": "regressed",
        "base": 46.1,
        "candidate": 55.9,
        "change": 0.263,
        "low": 0.198,
        "high": 0.327,
        "standard_error": 0.019,
        "pooled": 0.212,
        "pooled_low": 0.152,
        "pooled_high": None,
        "detectable": 0.164,
        "is_marked": True,
        "blocks": 58,
        "rounds": 2,
        "base_samples": 12_040,
        "candidate_samples": 11_980,
        "noise_floor_ratio": 0.01,
        "reasons": [],
        "severity": "fail",
        "metric": "p95_ms",
        "max_change": 0.1,
        "alpha": 0.05,
        "source": "thresholds.yaml:14",
        "text": SLOWER_TEXT,
    }


def test_changes_come_back_as_they_were_and_open_intervals_stay_open():
    again = changes_of(json.loads(json.dumps(run_record(duet(*ALL)))))

    assert again == list(ALL)
    assert [render_change(one) for one in again] == [render_change(one) for one in ALL]
    assert (again[0].pooled_high, again[4].high) == (math.inf, math.inf)


def test_how_sure_a_check_is_comes_back_too():
    checks = (
        check("total", "p95_ms", 104, max=100, beyond=beyond(0.056, 0.04, 0.08)),
        check("total", "failure_ratio", 0.2, max=0.1 + 0.2, beyond=beyond(0.2, 0.1, 0.3, allowed=0.1 + 0.2)),
    )
    record = run_record(judged(checks=checks))

    assert [item["beyond"]["allowed"] for item in record["checks"]] == [0.05, 0.1 + 0.2]
    assert not list(VALIDATOR.iter_errors(report_document([record])))
    assert [str(one) for one in checks_of(record)] == [str(one) for one in checks]
    assert [one.beyond for one in checks_of(record)] == [one.beyond for one in checks]


# Terminal


def test_a_duet_that_failed_says_everything_in_80_columns():
    assert text_of(duet(SLOWER, CPU, MARKED, *ALIKE)) == FAILED


def test_a_duet_that_ended_undecided_says_why():
    facts = replace(FACTS, rounds=4, are_cores_shared=False, cpu_ratio=None)
    text = " ".join(text_of(duet(UNSURE, duet=facts, verdict=Verdict.WARN)).split())

    assert "4 of at most 4 rounds, each on cores of its own compared" in text
    assert "warnings POST Buy_Product [recovery]: p95 inconclusive, 46.0 -> 50.2 ms: +9.2 % (+3.1 to any)" in text
    assert "the change may be as much as +15.1 %, the limit is +10.0 %" in text
    assert text.endswith("WARN checkout: 1 of 1 comparison inconclusive, 4 rounds in 1 min 10 s")


def test_a_narrow_terminal_keeps_what_was_compared_and_the_outcome():
    assert text_of(duet(SLOWER, CPU), 40).startswith(NARROW)


def test_a_wide_terminal_shows_limits_samples_and_what_would_have_failed():
    lines = text_of(duet(SLOWER), 140).splitlines()

    assert lines[4].split() == [
        "compared", "baseline", "candidate", "change", "limit", "fails", "from", "samples", "outcome",
    ]  # fmt: skip
    assert lines[5].endswith("+10.0 %       +16 %  12,040 + 11,980  regressed  ✗")


def test_no_limits_are_shown_in_a_duet():
    text = text_of(duet(CPU, verdict=Verdict.PASS))

    assert "uncovered" not in text
    assert "counters" not in text
    assert text.endswith("\nPASS checkout: 1 comparison, none regressed, 2 rounds in 1 min 10 s\n")


def test_an_invalid_duet_says_its_reasons_above_all():
    text = text_of(duet(SLOWER, verdict=Verdict.INVALID, reasons=("baseline, round 2: 3 users died",)))

    assert "\ninvalid    baseline, round 2: 3 users died\nfailed     total: p95 regressed" in text
    assert text.endswith("\nINVALID checkout: cannot be judged for 1 reason, 2 rounds in 1 min 10 s\n")


def test_a_duet_without_any_change_has_no_table():
    text = text_of(duet(verdict=Verdict.INVALID, reasons=("no round was played",)))

    assert "compared" not in text
    assert "others" not in text


def test_what_regressed_is_red():
    lines = render_run(run_record(duet(SLOWER, CPU)), 140, color=True)
    row = next(line for line in lines if line.startswith("total: p95"))

    assert re.findall(r"\033\[1;31m(.*?)\033\[0m", row) == ["+26.3 % (+19.8 to +32.7)", "regressed", "✗"]


def test_the_overview_counts_comparisons():
    lines = render_summary([run_record(judged()), run_record(duet(SLOWER, CPU))])

    assert lines[2].split()[:3] == ["FAIL", "checkout", "1/2"]


TEXTS = st.text(max_size=60)
FIGURES = st.none() | st.floats(min_value=0, max_value=1e300)
BOUNDS = st.floats(allow_nan=False)
CHANGES = st.builds(
    change,
    st.sampled_from(["total", "GET A"]) | TEXTS,
    st.sampled_from(["p95_ms", "failure_ratio", "cpu_ms", "count"]),
    outcome=st.sampled_from(Outcome),
    line=st.sampled_from([0, 14]),
    window=st.sampled_from(["total", "hold"]) | TEXTS,
    severity=st.sampled_from(Severity),
    base=FIGURES,
    candidate=FIGURES,
    change=st.floats(allow_nan=False, allow_infinity=False),
    low=BOUNDS,
    high=BOUNDS,
    detectable=st.none() | BOUNDS,
    is_marked=st.booleans(),
    reasons=st.lists(TEXTS, max_size=2).map(tuple),
)
DUETS = st.builds(
    lambda changes, base, verdict: duet(*changes, duet=replace(FACTS, base=base), verdict=verdict),
    st.lists(CHANGES, max_size=5),
    TEXTS,
    st.sampled_from(Verdict),
)


@settings(max_examples=60, deadline=None)
@given(run=DUETS, width=st.integers(1, 200), unicode=st.booleans())
def test_no_line_of_a_duet_is_wider_than_the_terminal(run, width, unicode):
    for line in render_run(run_record(run), width, unicode=unicode):
        assert cell_width(line) <= width
        assert len(line.splitlines()) <= 1
        assert unicode or line.isascii()


@settings(max_examples=60, deadline=None)
@given(run=DUETS)
def test_any_duet_can_be_recorded_and_told(run):
    record = run_record(run)

    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert not list(VALIDATOR.iter_errors(report_document([record])))
    assert len(render_markdown([record])) <= 65_000
    assert all(value for _, value in properties(record) if _.endswith(".rounds"))


# Close calls


CLOSE = tuple(
    check(f"GET {name}", "p95_ms", actual_ms, max=100, beyond=beyond(0.04, 0.03, 0.06))
    for name, actual_ms in (("A", 90), ("B", 99), ("C", 80), ("D", 70), ("E", 75))
)


def test_limits_that_were_kept_closely_are_listed_closest_first():
    lines = [line for line in text_of(judged(checks=CLOSE), 200).splitlines() if "allowing for bursts" in line]
    subjects = [line.split("GET ")[1][0] for line in lines]

    assert (subjects, lines[0][:11]) == (["B", "A", "C"], "close      ")
    assert "\n           and 2 more limits likewise\n" in text_of(judged(checks=CLOSE))


@pytest.mark.parametrize("verdict", [Verdict.FAIL, Verdict.INVALID])
def test_a_run_that_did_not_pass_has_worse_to_show_than_close_calls(verdict):
    assert "close" not in text_of(judged(checks=CLOSE, verdict=verdict))


def test_close_calls_stand_with_the_figures_of_a_run_that_passed_and_with_the_warnings_of_others():
    passed, warned = (render_markdown([run_record(judged(checks=CLOSE[:1], verdict=verdict))])
        for verdict in (Verdict.PASS, Verdict.WARN))  # fmt: skip

    assert passed.count("- close: GET A: p95 90.0 ms within") == 1
    assert passed.index("<details>") < passed.index("- close:")
    assert warned.count("- close: GET A: p95 90.0 ms within") == 1
    assert warned.index("- close:") < warned.index("<details>")


# Markdown


def test_a_reviewer_reads_the_outcome_then_who_was_compared_then_the_changes():
    text = render_markdown([run_record(duet(SLOWER, CPU, MARKED, *ALIKE))])
    start = text.index("### ")

    who = "main (1a2b3c4) -&gt; working tree (5d6e7f8, with uncommitted changes)"
    blocks = text[start:].split("\n\n")
    assert blocks[:4] == [
        "### ❌ checkout: 1 of 2 comparisons regressed",
        f"{who}: 2 of at most 4 rounds, both on the same cores, 41 % busy",
        "In perf_tests/test_checkout.py::test_checkout",
        f"- failed: {SLOWER_TEXT.replace('>', '&gt;')}",
    ]
    assert blocks[4].splitlines()[0] == (
        "| compared | baseline | candidate | change | limit | fails from | samples | outcome |  |"
    )
    assert [line.split(" | ")[0] + " | " + line.split(" | ")[-2] for line in blocks[4].splitlines()[2:]] == [
        "| total: p95 | regressed",
        "| total: cpu | unchanged",
        "| GET Get_All_Products: p95 | slower",
    ]
    assert blocks[5].startswith("_change_: with the interval")
    assert blocks[6] == "Not told apart: GET Search_By_Category, GET Health"
    assert "<summary>checkout: candidate's requests, stages, counters</summary>" in text
    assert "no limit names" not in text


def test_a_duet_that_passed_shows_what_it_found():
    text = render_markdown([run_record(duet(CPU, verdict=Verdict.PASS))])

    assert "### ✅ checkout: 1 comparison, none regressed\n\nmain (1a2b3c4) -&gt; working tree" in text
    assert text.index("| total: cpu |") < text.index("<details>")


def test_nothing_that_names_a_build_becomes_markup():
    hostile = "@all <b>x</b> [l](http://e.example) | `c`"
    text = render_markdown([run_record(duet(CPU, duet=replace(FACTS, base=hostile), scenario="checkout"))])

    assert "<b>" not in text
    assert not re.search(r"@\w|(?<!\\)[`\[\]]|://", text)


# JUnit


def test_the_properties_tell_the_duet_and_each_change():
    found = dict(properties(run_record(duet(SLOWER, UNSURE))))

    assert found["tailgate.checkout.duet.base"] == "main (1a2b3c4)"
    assert found["tailgate.checkout.duet.rounds"] == "2"
    assert found["tailgate.checkout.duet.are_cores_shared"] == "true"
    assert found["tailgate.checkout.change.total.total.p95_ms"] == (
        "regressed base=46.1 candidate=55.9 change=0.263 low=0.198 high=0.327 max_change=0.1 detectable=0.164 "
        "base_samples=12040 candidate_samples=11980 rounds=2 severity=fail"
    )
    assert found["tailgate.checkout.change.total.total.p95_ms.text"] == SLOWER_TEXT
    assert " low=0.031 max_change=0.1 " in found["tailgate.checkout.change.recovery.POST Buy_Product.p95_ms"]


def test_a_run_that_is_no_duet_has_no_such_properties():
    assert not [name for name, _ in properties(run_record(judged())) if ".duet." in name or ".change." in name]


def test_the_property_of_a_check_tells_how_sure_it_is():
    run = judged(checks=(check("total", "p95_ms", 104, max=100, beyond=beyond(0.0563, 0.0391, 0.0783)),))

    assert dict(properties(run_record(run)))["tailgate.peak.check.total.total.p95_ms"] == (
        "fail actual=104 max=100 samples=1000 severity=fail "
        "beyond=0.0563 beyond_low=0.0391 beyond_high=0.0783 allowed=0.05"
    )
