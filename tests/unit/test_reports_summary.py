"""The Markdown report."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailgate.model import ErrorCount, Severity, Verdict
from tailgate.reports.markdown import MAX_ROWS, inline, plain, table
from tailgate.reports.record import run_record
from tailgate.reports.summary import MARKER, MAX_SENTENCES, render_markdown
from tests.unit.judged_examples import check, failed_run, invalid_run, judged, summary

HOSTILE = (
    "@all | <b>x</b> `c` **b** [l](http://e.example) ![i](x) __i__ ~~s~~ #12 GH-7 www.e.example $m$\n\n# h\r- i\\ "
    "</summary></details> <!-- tailgate --> &lt;"
)


def render(*runs) -> str:
    return render_markdown([run_record(run) for run in runs])


def test_the_first_line_is_the_marker_and_the_headline_the_worst_verdict():
    assert render(judged(), failed_run(), invalid_run()).splitlines()[:10] == [
        "<!-- tailgate -->",
        "",
        "## ❌ Load tests: fail",
        "",
        "3 load runs: 1 fail, 1 invalid, 1 pass",
        "",
        "| verdict | scenario | checks passed | requests | failed | p95 ms | time |",
        "| :--- | :--- | ---: | ---: | ---: | ---: | ---: |",
        "| ❌ fail | spike | 5/11 | 3,211 | 70 | 61.0 | 12.0 s |",
        "| ⛔ invalid | soak | 0/1 | 0 | 0 | – | 3.0 s |",  # noqa: RUF001
    ]


@pytest.mark.parametrize(
    ("verdicts", "headline"),
    [
        ((), "## ⛔ Load tests: nothing was loaded"),
        ((Verdict.PASS,), "## ✅ Load tests: pass"),
        ((Verdict.PASS, Verdict.WARN), "## ⚠️ Load tests: warn"),
        ((Verdict.WARN, Verdict.INVALID), "## ⛔ Load tests: invalid"),
        ((Verdict.INVALID, Verdict.FAIL), "## ❌ Load tests: fail"),
    ],
)
def test_a_failure_outweighs_an_invalid_run_and_that_a_warning(verdicts, headline):
    assert render(*(judged(verdict=verdict) for verdict in verdicts)).splitlines()[2] == headline


def test_a_failed_run_says_in_sentences_what_failed_worst_first():
    text = render(failed_run())

    assert "### ❌ spike: 5 of 11 checks failed, 1 warning\n\nIn perf_tests/test_spike.py::test_spike\n\n" in text
    items = re.findall(r"^- (\w+): (.*)$", text, re.MULTILINE)
    assert [label for label, _ in items][:7] == [*["failed"] * 5, "warning", "error"]
    assert items[2][1] == r"total: failure_ratio 2.17 % breaks &lt;= 1 % (n = 3,211; thresholds.yaml:9)"
    assert items[4][1] == r"POST Buy_Product: p95 250.4 ms breaks &lt;= 250 ms (n = 413; thresholds.yaml:14)"
    assert ("error", "61 × POST Buy_Product: HTTPError: 503 Service Unavailable, wanted 200 or 409") in items  # noqa: RUF001
    assert ("note", "p95 came back below 300 ms 2.1 s after the spike") in items


def test_an_invalid_run_says_every_reason():
    text = render(invalid_run())

    assert "### ⛔ soak: cannot be judged for 2 reasons" in text
    assert "- invalid: no samples: 0 requests in 3.0 s" in text


def test_a_run_that_passed_is_one_row_and_folded_figures():
    text = render(judged(notes=("it broke at 400 users",), uncovered=("POST Buy_Product",)))

    assert "###" not in text
    assert "<details>\n<summary>✅ peak: 3 checks</summary>\n\n| request |" in text
    assert "- note: it broke at 400 users\n- no limit names: POST Buy_Product\n- generator: loop lag p99 3.1 ms" in text


def test_the_figures_of_requests_stages_and_counters_are_folded_away():
    folded = render(failed_run()).split("<summary>spike: requests, stages, counters</summary>")[1]

    assert "| POST Buy_Product | 413 | 70 | 31.0 | 250.4 | 1,012 | p95 ≤ 250 ms | ✗ |" in folded
    assert "| GET Health | 0 | 0 | – | – | – | p95 ≤ 50 ms | ✗ |" in folded  # noqa: RUF001
    assert "| spike (58 of 60 users) | 1,100 | 61 | 20.0 | 300 | 900 | – |  |" in folded  # noqa: RUF001
    assert "| oversold_units | 2 | count ≤ 0 | ✗ |" in folded
    assert folded.endswith("\n\n</details>\n")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a|b", r"a\|b"),
        ("`rm`", r"\`rm\`"),
        ("<img src=x>", "&lt;img src=x&gt;"),
        ("a\r\n\n# b", r"a \# b"),
        ("@octocat", "@\u200boctocat"),
        ("fixes #12, gh-3", "fixes \\#\u200b12, gh-\u200b3"),
        ("http://a.example www.b.example", r"http:\/\/a.example www\.b.example"),
        ("GET Get_All_Products", "GET Get_All_Products"),
        ("__init__ _x_", r"\_\_init\_\_ \_x\_"),
        ("a\x00\u202eb", "a\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}b"),
        ("&lt;", "&amp;lt;"),
    ],
)
def test_text_is_shown_as_it_is(text, shown):
    assert inline(text) == shown


def test_text_within_html_has_no_backslashes():
    assert plain("a_* | </summary>") == "a_* | &lt;/summary&gt;"


def test_nothing_that_a_service_wrote_becomes_markup():
    run = judged(
        scenario=HOSTILE,
        test=HOSTILE,
        verdict=Verdict.FAIL,
        reasons=(HOSTILE,),
        notes=(HOSTILE,),
        uncovered=(HOSTILE,),
        checks=(check(HOSTILE, "p95_ms", 3, max=2), check(HOSTILE, "count", 3, max=2)),
        requests={HOSTILE: summary(10, 0, 1, 2, 3)},
        counters={HOSTILE: 3},
        errors=(ErrorCount(where=HOSTILE, error=HOSTILE, count=1),),
    )
    text = render(run, judged(scenario=HOSTILE))

    assert set(re.findall(r"</?\w+", text)) == {"<details", "</details", "<summary", "</summary"}
    assert text.count(MARKER) == 1
    assert not re.search(r"@\w|#\d|gh-\d", text, re.IGNORECASE)
    assert not re.search(r"(?<!\\)[`*\[\]~$]|://|www\.", re.sub(r"<summary>.*", "", text))
    columns = {len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines() if line.startswith("|")}
    assert columns == {8, 9, 5}


def test_a_long_text_keeps_its_ends():
    assert inline("a" * 400 + "b" * 400) == "a" * 150 + "…" + "b" * 150
    assert len(inline("e" + "\u0301" * 10_000)) == 301


def test_a_long_table_says_how_many_rows_it_leaves_out():
    lines = table(["a", ">b"], [[str(row), "x"] for row in range(MAX_ROWS + 7)]).splitlines()

    assert len(lines) == 2 + MAX_ROWS + 1
    assert lines[-1] == "| and 7 more |  |"


def test_a_long_list_says_how_many_sentences_it_leaves_out():
    checks = tuple(check(f"GET {number}", "p95_ms", 3, max=2) for number in range(MAX_SENTENCES + 1_000))

    assert "- failed: and 1,000 more\n" in render(judged(verdict=Verdict.FAIL, checks=checks))


def test_what_failed_stays_when_not_everything_fits():
    failed = [judged(scenario=f"s{number}", verdict=Verdict.FAIL, checks=failed_run().checks) for number in range(30)]
    text = render(*[judged(scenario="fine")] * 200, *failed)

    assert len(text) <= 65_000
    assert [text.count(f"### ❌ s{number}:") for number in range(30)] == [1] * 30
    assert text.count("<details>") < 230
    assert re.search(r"\n\n_\d+ parts did not fit here; the JSON report has everything\._\n$", text)


@settings(max_examples=10, deadline=None)
@given(
    st.lists(st.sampled_from(["<", "&", "|", "@", "a", "\u0301", "\U0001f600"]), min_size=1, max_size=3),
    st.integers(1, 110),
)
def test_no_summary_is_longer_than_a_comment_may_be(characters, count):
    name = "".join(characters) * 110
    checks = tuple(check(f"{name}{number}", "p95_ms", 3, max=2, severity=Severity.FAIL) for number in range(20))
    run = judged(scenario=name, test=name, verdict=Verdict.FAIL, checks=checks, reasons=(name,) * 20)
    text = render_markdown([run_record(run)] * count)

    assert len(text) <= 65_000
    assert len(text.encode()) < 1024 * 1024


@pytest.mark.parametrize("verdict", Verdict)
def test_what_a_comparison_says_is_there_whatever_the_verdict(verdict):
    sight = "It sees " + 40 * "almost " + "nothing."
    lines = render(judged(verdict=verdict, comparison=("peak against baseline main: unchanged", sight))).splitlines()

    assert lines.count("- compared: peak against baseline main: unchanged") == 1
    assert f"- compared: {sight}" in lines


def test_a_run_that_only_its_comparison_failed_says_so():
    assert "### ❌ peak: 3 checks, the comparison failed" in render(judged(verdict=Verdict.FAIL))
