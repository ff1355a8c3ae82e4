"""What a session keeps on disk, and what is left of it after a crash."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailgate.journal import RunJournal, SessionJournal, session_directory
from tailgate.journal_frames import MAGIC, JournalReader, render_frame
from tailgate.journal_records import read_records
from tailgate.model import ErrorCount, GeneratorLimits, Severity, Stage
from tailgate.run import RunFacts
from tailgate.run_state import parse_limits, parse_run, render_limits, render_run
from tailgate.samples import SampleLog
from tests.unit.run_examples import request, run, scenario, total

FRAMES = st.lists(st.tuples(st.dictionaries(st.text(max_size=5), st.integers()), st.binary(max_size=50)), max_size=5)
NUMBERS = itertools.count()


def written(path, frames):
    path.write_bytes(MAGIC + b"".join(render_frame(*frame) for frame in frames))
    return path


def read(path):
    reader = JournalReader(path)
    return [(frame.values, frame.data) for frame in reader], reader.problem


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("journal") / "journal"


@given(FRAMES)
def test_frames_are_read_as_they_were_written(path, frames):
    assert read(written(path, frames)) == (frames, "")


@given(FRAMES, st.data())
def test_of_a_file_that_was_cut_off_the_whole_frames_are_read_and_nothing_is_wrong(path, frames, data):
    whole = written(path, frames).read_bytes()
    cut = data.draw(st.integers(len(MAGIC), len(whole)))
    path.write_bytes(whole[:cut])
    lengths = [len(MAGIC), *(len(render_frame(*frame)) for frame in frames)]
    fit = sum(end <= cut for end in itertools.accumulate(lengths)) - 1

    assert read(path) == (frames[:fit], "")


@given(st.lists(st.tuples(st.just({"a": 1}), st.binary(min_size=1, max_size=50)), min_size=1, max_size=5), st.data())
def test_a_damaged_frame_ends_reading_and_is_told(path, frames, data):
    whole = bytearray(written(path, frames).read_bytes())
    # Not in the sizes: those may say that the frame is longer than the file, as if it had been cut off.
    broken = data.draw(st.integers(0, len(frames) - 1))
    begin = len(MAGIC) + sum(len(render_frame(*frame)) for frame in frames[:broken])
    whole[begin + 12 + data.draw(st.integers(0, len(render_frame(*frames[broken])) - 13))] ^= 255
    path.write_bytes(whole)

    assert read(path) == (frames[:broken], f"is damaged at byte {begin:,}; what comes before was read")


def test_sizes_that_no_frame_has_are_damage(path):
    path.write_bytes(MAGIC + b"\xff" * 40)
    assert read(path) == ([], f"is damaged at byte {len(MAGIC)}; what comes before was read")


def test_zeros_that_a_power_cut_leaves_are_damage(path):
    path.write_bytes(MAGIC + render_frame({"a": 1}) + b"\0" * 64)
    frames, problem = read(path)
    assert frames == [({"a": 1}, b"")]
    assert problem.startswith("is damaged at byte ")


@pytest.mark.parametrize("data", [b"something else", b"tailgate journal 2\n", b"tailgate"])
def test_other_files_are_no_journals(path, data):
    path.write_bytes(data)
    assert read(path) == ([], "is not a journal of this version of tailgate")


def test_an_unreadable_file_raises(path):
    with pytest.raises(FileNotFoundError):
        list(JournalReader(path.with_name("missing")))


def a_run(**changes):
    return run(
        stages=(
            Stage(name="climb", duration_s=4.0, users=3, spawn_rate=1.0),
            Stage(name="hold", duration_s=6.0, users=3),
        ),
        errors=(ErrorCount(where="GET a", error="HTTP status 500", count=7),),
        counters={"reads": 4, "odd": math.inf},
        facts=RunFacts(
            user_deaths=(ErrorCount(where="Reader", error="KeyError: 1", count=2),),
            stack_deaths=("nginx died",),
            clock_jump_s=0.25,
            interrupted="SIGTERM",
            paced_classes=("Reader", "Writer"),
        ),
        notes=("a note",),
        warmup_s=2.0,
        **changes,
    )


def test_a_run_comes_back_from_json_as_it_was():
    one = a_run()
    assert parse_run(json.loads(json.dumps(render_run(one))), one.samples) == one


def test_the_limits_come_back_from_json_as_they_were():
    limits = scenario(
        total("p95_ms", max=250.0),
        request("GET *", "failure_ratio", max=0.01, severity=Severity.WARN, stage="hold", min_samples=5),
        warmup_s=3.0,
        max_task_exceptions=2,
        generator=GeneratorLimits(max_cpu_ratio=0.5),
        source="thresholds.yaml:8",
    )
    assert parse_limits(json.loads(json.dumps(render_limits(limits)))) == limits


def logged(count):
    log = SampleLog()
    for number in range(count):
        log.add("GET", "ab"[number % 2], number / 10, 1.0 + number, number % 3 == 0)
    return log


def test_what_a_run_is_given_is_on_disk_when_it_is_closed(tmp_path):
    journal = RunJournal(tmp_path / "one.run", {"test": "test_it"})
    log = logged(10)
    journal(log.pairs, log.seal(), a_run())
    log.add("PUT", "c", 2.0, 99.0, 0)
    journal(log.pairs, log.seal(), a_run(host="http://[::1]"))
    journal.close()
    (header, _), (first, data), (last, _) = read(tmp_path / "one.run")[0]

    assert header["test"] == "test_it"
    assert first["pairs"] == [["GET", "a"], ["GET", "b"]]
    assert first["columns"] == {"key_index": 40, "start_s": 80, "latency_ms": 80, "outcome": 10}
    assert len(data) == 210
    assert last["run"]["host"] == "http://[::1]"
    assert journal.problem == ""


def test_a_disk_that_is_full_ends_the_journal_and_not_the_run():
    journal = RunJournal(Path("/dev/full"), {})
    log = logged(10)
    journal(log.pairs, log.seal(), a_run())
    journal.close()
    assert journal.problem == "/dev/full: No space left on device"


def test_a_directory_that_cannot_be_made_is_a_problem_of_the_run(tmp_path):
    (tmp_path / ".tailgate").touch()
    session = SessionJournal(session_directory(tmp_path, 7))
    journal = session.begin_run({})
    session.keep_record({"test": "test_it"})
    journal.close()

    assert ".tailgate" in journal.problem
    assert "Not a directory" in journal.problem or "File exists" in journal.problem
    assert session.end(is_reported=True) == ""


def test_nothing_is_made_before_there_is_something_to_keep(tmp_path):
    assert SessionJournal(session_directory(tmp_path, 7)).end(is_reported=True) == ""
    assert list(tmp_path.iterdir()) == []


def test_all_is_removed_once_it_is_reported(tmp_path):
    session = SessionJournal(session_directory(tmp_path, 7))
    session.begin_run({}).remove()
    session.keep_record({"test": "test_it"})

    assert session.directory.is_dir()
    assert session.end(is_reported=True) == ""
    assert list(tmp_path.iterdir()) == []


def test_what_was_not_reported_stays(tmp_path):
    session = SessionJournal(session_directory(tmp_path, 7))
    session.keep_record({"test": "test_it"})
    assert session.end(is_reported=False) == str(session.directory)
    assert read(session.directory / "main.records") == ([({"record": {"test": "test_it"}}, b"")], "")


def test_what_a_process_that_still_runs_may_add_to_stays(tmp_path):
    session = SessionJournal(session_directory(tmp_path, 7))
    worker = SessionJournal(session.directory, "gw0")
    worker.keep_record({"test": "test_it"})
    assert session.end(is_reported=True) == str(session.directory)
    worker.release()
    assert session.end(is_reported=True) == ""
    assert list(tmp_path.iterdir()) == []


def test_of_a_run_that_another_process_judged_several_times_the_last_record_is_read(tmp_path):
    session = SessionJournal(session_directory(tmp_path, 7))
    worker = SessionJournal(session.directory, "gw0")
    first, second = ({"test": name, "scenario": "peak", "started_at": "1"} for name in ("test_it", "test_other"))
    session.keep_record(first)
    for record in (first, second, {**first, "verdict": "fail"}):
        worker.keep_record(record)

    (path,) = session.records_of_others()
    assert path.name == "gw0.records"
    assert read_records(path) == ([{**first, "verdict": "fail"}, second], "")


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda data: data[:-1] + b"?", "is damaged at byte "),
        (lambda data: data + render_frame({"other": 1}), "was written by another version of tailgate"),
        (lambda _: b"something else", "is not a journal of this version of tailgate"),
    ],
    ids=["damaged", "other", "none"],
)
def test_records_that_cannot_be_read_are_a_problem(tmp_path, damage, problem):
    session = SessionJournal(tmp_path, "gw0")
    session.keep_record({"test": "test_it", "scenario": "peak", "started_at": "1"})
    path = tmp_path / "gw0.records"
    path.write_bytes(damage(path.read_bytes()))
    assert read_records(path)[1].startswith(f"{path}: {problem}")


def test_a_run_that_nobody_judged_stays(tmp_path):
    session = SessionJournal(session_directory(tmp_path, 7), "gw0")
    session.begin_run({}).close()
    assert session.end(is_reported=True) == str(session.directory)
    assert (session.directory / "gw0-1.run").exists()
