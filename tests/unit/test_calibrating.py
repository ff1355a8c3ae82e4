"""What ``tailgate calibrate`` reads in reports, and what it makes of that."""

from __future__ import annotations

import pytest

from tailgate.calibrating import Series, is_slower, read_report, render_table
from tailgate.cli import main
from tailgate.model import Change, Outcome, RegressionRule, Severity
from tailgate.reports.record import run_record
from tests.unit.judged_examples import judged


def change(outcome="unchanged", value=0.01, *, metric="p95_ms", is_marked=False, window="total", severity="fail"):
    return Change(
        rule=RegressionRule(kind="total", subject="total", metric=metric, max_change=0.1, severity=Severity(severity)),
        subject="total",
        window=window,
        outcome=Outcome(outcome),
        base=20.0,
        candidate=21.0,
        change=value,
        low=-0.1,
        high=0.1,
        standard_error=0.02,
        is_marked=is_marked,
        rounds=2,
        severity=Severity(severity),
    )


def report(*changes, **more):
    return {"runs": [run_record(judged(scenario="steady", changes=changes, **more))]}


def test_comparisons_that_matter_are_read_and_information_is_not():
    found, invalid = read_report(report(change(), change("improved", severity="info")))
    assert [(scenario, one.outcome, one.rounds) for scenario, one in found] == [("steady", "unchanged", 2)]
    assert invalid == []


def test_an_invalid_duet_teaches_nothing_and_says_why():
    found, invalid = read_report(report(change(), verdict="invalid", reasons=("a", "b")))
    assert found == []
    assert invalid == ["steady: a; b"]


@pytest.mark.parametrize(
    ("is_marked", "value", "expected"), [(True, 0.03, True), (True, -0.03, False), (False, 0.03, False)]
)
def test_slower_is_what_is_marked_and_worse(is_marked, value, expected):
    assert is_slower(change(value=value, is_marked=is_marked)) is expected


def test_the_table_counts_outcomes_by_comparison_and_kind_of_duet():
    alike = Series(
        title="A/A",
        found=(
            ("steady", change("unchanged", 0.03)),
            ("steady", change("inconclusive", 0.04, is_marked=True)),
            ("steady", change("unchanged", None, window="peak")),
        ),
        invalid=(),
    )
    slower = Series(title="+20 %", found=(("steady", change("regressed", 0.2)),), invalid=())
    assert render_table([alike, slower])[2:] == [
        "| A/A | steady: total p95 | 2 | 1 | 0 | 1 | 0 | 1 | 3.5 % |",
        "| A/A | steady: total [peak] p95 | 1 | 1 | 0 | 0 | 0 | 0 | - |",
        "| +20 % | steady: total p95 | 1 | 0 | 0 | 0 | 1 | 0 | 20.0 % |",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["calibrate", "--duets", "0"], "wanted a whole number above 0"),
        (["calibrate", "--inject", "-1"], "wanted a ratio above 0"),
        ([], "the following arguments are required: COMMAND"),
    ],
)
def test_wrong_usage_is_told_and_has_its_exit_code(capsys, arguments, message):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_a_project_without_a_duet_is_told_so(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    assert main(["calibrate", "--duets", "1", "--", "-p", "tailgate.plugin"]) == 3
    assert "played no duet" in capfd.readouterr().err
