"""Where the time went, as reports show it."""

import jsonschema
import pytest

from tailgate.judge import judge_run
from tailgate.model import TierFigures, TierSummary
from tailgate.reports.record import checks_of, report_document, report_schema, run_record
from tailgate.reports.summary import render_markdown
from tailgate.reports.terminal import render_run
from tailgate.reports.text import cell_width
from tests.unit.judged_examples import judged
from tests.unit.run_examples import scenario, total
from tests.unit.test_tiers import SLOW_DATABASE, Requests

TIERS = {"network and generator": 1.25, "nginx": 1.0, "service": 20.5, "database": 301.0}


def tiers(**factors):
    """Return the tiers of requests by name, those of each multiplied by its factor."""
    return {
        name: TierSummary(
            samples=400,
            slowest=20,
            tiers=tuple(TierFigures(name=tier, p95_ms=factor * ms, slowest_ms=ms / 3) for tier, ms in TIERS.items()),
        )
        for name, factor in factors.items()
    }


def test_the_record_has_the_figures_of_each_name_and_keeps_its_schema():
    record = run_record(judged(tiers=tiers(Home=0.5, total=1)))
    jsonschema.Draft202012Validator(report_schema()).validate(report_document([record]))
    assert record["tiers"]["Home"]["samples"] == 400
    assert record["tiers"]["Home"]["slowest"] == 20
    assert record["tiers"]["Home"]["tiers"][3] == {"name": "database", "p95_ms": 150.5, "slowest_ms": 100.333}


def test_a_check_keeps_its_sentence_when_it_is_recorded():
    (check,) = judge_run(Requests().add(70, 100.0, SLOW_DATABASE).run(), scenario(total("p95_ms", max=50))).checks
    assert check.breakdown == "database took 90.0 of 100 ms in the 70 slowest"
    assert checks_of(run_record(judged(checks=(check,))))[0].breakdown == check.breakdown


def test_the_terminal_shows_the_p95_of_each_tier_over_all_requests():
    lines = render_run(run_record(judged(tiers=tiers(Home=0.5, total=1))))
    start = lines.index("tiers p95  network and generator 1.2 ms   nginx 1.0 ms   service 20.5 ms")
    assert lines[start + 1] == "           database 301 ms"


@pytest.mark.parametrize("width", [20, 40, 60, 80, 200])
def test_no_line_is_wider_than_the_terminal(width):
    lines = render_run(run_record(judged(tiers=tiers(total=1_000_000))), width)
    assert max(map(cell_width, lines)) <= width


def test_the_summary_has_the_p95_of_each_tier_of_all_requests_and_by_name():
    lines = render_markdown([run_record(judged(tiers=tiers(Home=0.5, total=1)))]).splitlines()
    start = lines.index("| p95 ms by tier | network and generator | nginx | service | database |")
    assert lines[start + 2 : start + 4] == ["| total | 1.2 | 1.0 | 20.5 | 301 |", "| Home | 0.6 | 0.5 | 10.2 | 150 |"]


def test_the_name_of_a_tier_is_text_in_the_summary():
    hostile = TierSummary(samples=1, slowest=1, tiers=(TierFigures(name="|@all <b>", p95_ms=1.0, slowest_ms=1.0),))
    text = render_markdown([run_record(judged(tiers={"total": hostile}))])
    assert "| p95 ms by tier | \\|@\u200ball &lt;b&gt; |\n" in text


def test_the_terminal_says_nothing_where_nothing_was_told():
    assert not any("tiers" in line for line in render_run(run_record(judged())))
