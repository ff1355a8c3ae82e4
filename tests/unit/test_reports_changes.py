"""What reports say about a duet."""

from dataclasses import replace

import pytest

from tailgate.model import Outcome, Severity
from tailgate.reports.changes import (
    broken_texts,
    change_rows,
    names_alike,
    proven_of,
    render_outcomes,
    render_rounds,
)
from tailgate.reports.record import run_record
from tests.unit.change_examples import (
    ALIKE,
    ALL,
    CPU,
    FACTS,
    FAILURES,
    MARKED,
    NEVER_SENT,
    SLOWER,
    SOLD,
    UNSURE,
    change,
    duet,
)

IMPROVED = change(outcome=Outcome.IMPROVED)
ONLY_WARNS = change(outcome=Outcome.REGRESSED, severity=Severity.WARN)


def cells_of(one):
    (row,) = change_rows(run_record(duet(one)))
    return row.cells


@pytest.mark.parametrize(
    ("one", "cells"),
    [
        (
            SLOWER,
            "total: p95|46.1 ms|55.9 ms|+26.3 % (+19.8 to +32.7)|+10.0 %|+16 %|12,040 + 11,980|regressed|✗",
        ),
        (FAILURES, "total: failed|0 %|0 %|+0.00 points (-0.04 to +0.03)|+1.00 points|+1.04 points|…|unchanged|✓"),
        (CPU, "total: cpu|0.980 ms|1.00 ms|+2.4 % (-1.3 to +6.2)|+10.0 %|+16 %|…|unchanged|✓"),
        (SOLD, "units_sold: count|0.031|0.033|+0.002 (-0.003 to +0.006)|+0.02|–|…|unchanged|✓"),  # noqa: RUF001
        (
            UNSURE,
            "POST Buy_Product [recovery]: p95|46.0 ms|50.2 ms|+9.2 % (+3.1 to any)|+10.0 %|+19 %|…|inconclusive|!",
        ),
        (NEVER_SENT, "GET Rare: p95|–|–|–|+10.0 %|–|0 + 0|inconclusive|!"),  # noqa: RUF001
        (MARKED, "GET Get_All_Products: p95|46.3 ms|56.4 ms|+25.3 % (+18.9 to +31.9)|–|–|…|slower|·"),  # noqa: RUF001
        (replace(NEVER_SENT, candidate=7.0), "GET Rare: p95|–|7.0 ms|–|+10.0 %|–|0 + 0|inconclusive|!"),  # noqa: RUF001
    ],
    ids=lambda value: f"{value.subject} {value.rule.metric}" if not isinstance(value, str) else "",
)
def test_a_change_is_one_row(one, cells):
    assert "|".join(cells_of(one)) == cells.replace("…", "12,040 + 11,980")


def test_requests_that_nobody_asked_for_are_rows_only_where_they_differ():
    record = run_record(duet(*ALL))

    assert [row.cells[0].partition(":")[0] for row in change_rows(record)] == [
        "total", "total", "total", "units_sold", "POST Buy_Product [recovery]", "GET Rare", "GET Get_All_Products",
    ]  # fmt: skip
    assert names_alike(record) == ["GET Search_By_Category", "GET Health"]


@pytest.mark.parametrize(
    ("changes", "outcomes", "proven"),
    [
        ((SLOWER, CPU, *ALIKE), "1 of 2 comparisons regressed", "1/2"),
        ((SLOWER, UNSURE, NEVER_SENT), "1 of 3 comparisons regressed, 2 inconclusive", "0/3"),
        ((UNSURE,), "1 of 1 comparison inconclusive", "0/1"),
        ((CPU, SOLD, MARKED), "2 comparisons, none regressed", "2/2"),
        ((CPU, IMPROVED), "2 comparisons, none regressed, 1 improved", "2/2"),
        ((CPU,), "1 comparison, none regressed", "1/1"),
    ],
)
def test_the_outcomes_of_what_was_asked_are_counted(changes, outcomes, proven):
    record = run_record(duet(*changes))

    assert (render_outcomes(record), proven_of(record)) == (outcomes, proven)


def test_what_regressed_failed_and_what_is_inconclusive_warns():
    record = run_record(duet(SLOWER, ONLY_WARNS, UNSURE, CPU, MARKED, *ALIKE))
    texts = [item["text"] for item in record["changes"]]

    assert broken_texts(record, Severity.FAIL) == texts[:1]
    assert broken_texts(record, Severity.WARN) == texts[1:3]


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({}, "2 of at most 4 rounds, both on the same cores, 41 % busy"),
        ({"rounds": 1, "most_rounds": 1}, "1 of at most 1 round, both on the same cores, 41 % busy"),
        ({"are_cores_shared": False, "cpu_ratio": None}, "2 of at most 4 rounds, each on cores of its own"),
        (
            {"are_processes_fresh": False, "injected_ratio": 0.1, "most_rounds": 2},
            "2 of at most 2 rounds, 41 % busy, the same processes in every round, …",
        ),
    ],
    ids=["usual", "single", "apart", "somebody else's"],
)
def test_the_rounds_are_told_with_all_that_weakens_them(facts, told):
    record = run_record(duet(duet=replace(FACTS, **facts)))

    assert render_rounds(record["duet"]) == told.replace("…", "the candidate made 10 % slower on purpose")
