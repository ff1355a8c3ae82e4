"""What ``tailgate calibrate`` reads in reports, and what it makes of that."""

from __future__ import annotations

import pytest

from tailgate.calibrating import Series, calibrate, find_mistakes, is_slower, read_report, render_table
from tailgate.cli import main
from tailgate.errors import TailgateError
from tailgate.model import Change, Outcome, RegressionRule, Severity
from tailgate.noise_floor import load_noise_floor
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


def series(*duets, injected_ratio=0.0, invalid=()):
    found = tuple(tuple(("steady", one) for one in duet) for duet in duets)
    return Series(injected_ratio=injected_ratio, duets=found, invalid=invalid)


def report(*changes, **more):
    return {"runs": [run_record(judged(scenario="steady", changes=changes, **more))]}


def test_comparisons_that_matter_are_read_and_information_is_not():
    (duet,), invalid = read_report(report(change(), change("improved", severity="info")))
    assert [(scenario, one.outcome, one.rounds) for scenario, one in duet] == [("steady", "unchanged", 2)]
    assert invalid == []


def test_an_invalid_duet_teaches_nothing_and_says_why():
    duets, invalid = read_report(report(change(), verdict="invalid", reasons=("a", "b")))
    assert duets == []
    assert invalid == ["steady: a; b"]


@pytest.mark.parametrize(
    ("is_marked", "value", "expected"), [(True, 0.03, True), (True, -0.03, False), (False, 0.03, False)]
)
def test_slower_is_what_is_marked_and_worse(is_marked, value, expected):
    assert is_slower(change(value=value, is_marked=is_marked)) is expected


def test_the_table_counts_outcomes_by_comparison_and_kind_of_duet():
    alike = series(
        [change("unchanged", 0.03)],
        [change("inconclusive", 0.04, is_marked=True), change("unchanged", None, window="peak")],
    )
    slower = series([change("regressed", 0.2)], injected_ratio=0.2)
    assert render_table([alike, slower])[2:] == [
        "| A/A | steady: total p95 | 2 | 1 | 0 | 1 | 0 | 1 | 3.5 % |",
        "| A/A | steady: total [peak] p95 | 1 | 1 | 0 | 0 | 0 | 0 | - |",
        "| +20 % | steady: total p95 | 1 | 0 | 0 | 0 | 1 | 0 | 20.0 % |",
    ]


def test_a_regression_of_a_build_from_itself_is_a_mistake():
    alarming = series([change("regressed", 0.2), change()], [change("unchanged", 0.01)])
    assert find_mistakes(alarming) == "false alarms: 1 of 3 comparisons of a build with itself: steady: total p95"
    assert find_mistakes(series([change()], [change("inconclusive", 0.05)])) == ""


@pytest.mark.parametrize(
    ("outcomes", "ratio", "told"),
    [
        (["regressed", "inconclusive", "inconclusive"], 0.2, "missed: 1 of 3 duets found"),
        (["inconclusive"], 0.2, "missed: 0 of 1 duet found"),
        (["regressed", "inconclusive"], 0.2, ""),
        (["unchanged", "unchanged"], 0.05, ""),  # its rule allows 10 %
    ],
)
def test_a_slower_candidate_that_most_duets_do_not_find_is_a_mistake(outcomes, ratio, told):
    costs = change("unchanged", metric="cpu_ms")
    found = find_mistakes(series(*([change(one), costs] for one in outcomes), injected_ratio=ratio))
    assert found == (told and f"{told} a candidate that was slower by 20 %")


@pytest.fixture
def played(monkeypatch, tmp_path):
    """Have calibrate read reports instead of playing; return what it will read next."""
    reports = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tailgate.calibrating._play", lambda _: reports.pop(0))
    return reports


def test_the_floor_is_learned_from_duets_and_not_from_the_comparisons_in_them(played, tmp_path, capsys):
    played += [report(change(value=0.02), change("unchanged", 0.03, metric="p99_ms"))] * 7
    assert calibrate(duets=7, inject=None, pytest_args=[]) == 0
    assert "noise floor: not learned, from 7 duets of a build with itself; it takes 8" in capsys.readouterr().out

    played += [report(change(value=0.02), change("unchanged", 0.03, metric="p99_ms"))] * 8
    assert calibrate(duets=8, inject=None, pytest_args=[]) == 0
    assert load_noise_floor(tmp_path).floor.duets == 8


def test_a_gate_of_which_every_duet_was_invalid_is_not_well(played):
    played += [report(change(), verdict="invalid", reasons=("the machine was busy",))] * 2
    with pytest.raises(TailgateError, match=r"^no duet was valid \(A/A\), so nothing is known about the gate$"):
        calibrate(duets=2, inject=None, pytest_args=[])


@pytest.mark.parametrize("nothing", [change(severity="info"), change("inconclusive", None)])
def test_a_gate_that_compared_nothing_is_not_well(played, nothing):
    played += [report(nothing)] * 2
    with pytest.raises(
        TailgateError, match=r"^nothing that may fail or warn was compared \(A/A\), so nothing is known"
    ):
        calibrate(duets=2, inject=None, pytest_args=[])


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
