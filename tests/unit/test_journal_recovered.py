"""Judge what a crashed session left on disk."""

from __future__ import annotations

import sys

import pytest
from filelock import FileLock

from tailgate.journal import RunJournal, SessionJournal
from tailgate.journal_frames import MAGIC, render_frame
from tailgate.judge import judge_run
from tailgate.model import Verdict
from tailgate.recovered import read_session
from tailgate.reports.record import run_record
from tailgate.run_state import render_limits
from tailgate.samples import SampleLog
from tests.unit.run_examples import requests, run, scenario, total

LIMITS = scenario(total("p95_ms", max=250))
HEADER = {
    "test": "perf_tests/test_peak.py::test_peak",
    "started_at": "2025-03-01T11:59:59+00:00",
    "limits": render_limits(LIMITS),
    "is_stress": False,
    "is_duet": False,
    "fingerprint": {"python": "3.14"},
}


ROWS = requests(200)


@pytest.fixture
def left(tmp_path):
    """Leave a run with two pieces of 100 requests, whose last look at it was at a given moment."""

    def leave(duration_s=4.2, header=HEADER, rows=ROWS):
        journal = RunJournal(tmp_path / "main-1.run", header)
        log = SampleLog()
        for first in range(0, len(rows), 100):
            for key, start_s, latency_ms, outcome in rows[first : first + 100]:
                log.add(*key.split(), start_s, latency_ms, outcome)
            journal(log.pairs, log.seal(), run(duration_s=duration_s))
        journal.close()
        return read_session(tmp_path)

    return leave


def test_a_run_is_judged_as_it_would_have_been_but_is_invalid(left, tmp_path):
    session = left()
    (record,) = session.records
    expected = run_record(judge_run(run(requests(200), duration_s=4.2), LIMITS))

    reason = f"the process ended during the run, after 4.2 s; recovered from {tmp_path / 'main-1.run'}"
    assert (record["verdict"], record["reasons"]) == (Verdict.INVALID, [reason])
    assert record["notes"] == [
        "recovered: what is computed after a run, such as counters of observers and comparisons, is not part of it"
    ]
    for name in ("checks", "total", "requests", "stages", "generator", "started_at", "resolution"):
        assert record[name] == expected[name], name
    assert record["fingerprint"] == {"python": "3.14"}
    assert session.problems == []


def test_a_run_that_was_over_is_told_from_one_that_went_on(left):
    (record,) = left(duration_s=10.0).records
    assert record["reasons"][0].startswith("the process ended after the run, before it was judged; recovered from ")


def test_of_a_run_without_samples_its_test_is_known(left):
    (record,) = left(rows=[]).records
    assert record["reasons"][0].startswith("the process ended in the run, before its first samples; recovered from ")
    assert (record["test"], record["scenario"]) == (HEADER["test"], "peak")
    assert record["started_at"] == HEADER["started_at"]


def test_a_duet_is_not_recovered_but_told(left):
    (record,) = left(rows=[], header=HEADER | {"is_duet": True}).records
    assert record["reasons"][0].startswith("the process ended in a duet, whose rounds are not kept on disk; ")


def test_a_run_whose_record_was_kept_is_not_judged_again(left, tmp_path):
    judged = run_record(judge_run(run(requests(200)), LIMITS))
    SessionJournal(tmp_path).keep_record(judged)
    assert left().records == [judged]


def test_of_a_run_that_was_judged_twice_the_last_verdict_counts(tmp_path):
    session = SessionJournal(tmp_path)
    for verdict in ("fail", "pass"):
        session.keep_record({"test": "t", "scenario": "s", "started_at": "2025-03-01", "verdict": verdict})
    assert [record["verdict"] for record in read_session(tmp_path).records] == ["pass"]


def test_a_long_run_is_recovered_in_histograms(left, monkeypatch):
    monkeypatch.setattr("tailgate.recovered.SampleLog", lambda: SampleLog(most_exact=150))
    (record,) = left().records
    assert (record["resolution"], record["total"]["samples"]) == ("histograms of three digits", 200)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (MAGIC, "ends before it says which run it is of"),
        (b"", "is not a journal of this version of tailgate"),
        (
            MAGIC + render_frame({"other": 1}),
            "was written by another version of tailgate, or on another kind of machine",
        ),
    ],
)
def test_a_file_without_a_beginning_is_a_problem(tmp_path, data, problem):
    (tmp_path / "main-1.run").write_bytes(data)
    session = read_session(tmp_path)
    assert session.records == []
    (told,) = session.problems
    assert told.startswith(f"{tmp_path / 'main-1.run'}: {problem}")


def test_numbers_of_another_kind_of_machine_are_a_problem(tmp_path, left):
    left()
    path, other = tmp_path / "main-1.run", "big" if sys.byteorder == "little" else "little"
    data = path.read_bytes()
    begin = data.index(b'{"run"') - 12
    path.write_bytes(MAGIC + render_frame(HEADER | {"byteorder": other}) + data[begin:])
    (told,) = read_session(tmp_path).problems
    assert told.endswith(f"or on another kind of machine (ValueError: {other}-endian numbers)")


def test_a_session_runs_as_long_as_a_process_holds_its_lock(tmp_path):
    (tmp_path / "main.lock").touch()
    assert not read_session(tmp_path).is_running
    with FileLock(tmp_path / "gw0.lock"):
        assert read_session(tmp_path).is_running
    assert not read_session(tmp_path).is_running
