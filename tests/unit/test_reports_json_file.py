"""The JSON report on disk."""

import json
import os
import re
import threading
from pathlib import Path

import pytest

from tailgate.errors import BadInput, TailgateError
from tailgate.reports.files import check_writable
from tailgate.reports.json_file import write_report
from tailgate.reports.record import report_document, run_record
from tests.unit.judged_examples import judged

NOT_FOR_ROOT = pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
NEEDS_DEV_FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")


def test_the_file_holds_the_document(tmp_path):
    document = report_document([run_record(judged(scenario="späti"))])
    path = tmp_path / "report.json"

    write_report(path, document)

    assert json.loads(path.read_text("utf-8")) == document
    assert "späti" in path.read_text("utf-8")
    assert [item.name for item in tmp_path.iterdir()] == ["report.json"]


def test_an_old_report_is_replaced(tmp_path):
    path = tmp_path / "report.json"
    path.write_text("old" * 10_000)

    check_writable(path, "JSON report")
    assert path.read_text().startswith("old")
    write_report(path, {"schema": 1})

    assert json.loads(path.read_text()) == {"schema": 1}


def test_missing_directories_are_made_and_no_file_is_left_by_the_check(tmp_path):
    path = tmp_path / "a" / "b" / "report.json"

    check_writable(path, "JSON report")

    assert list(path.parent.iterdir()) == []
    write_report(path, {})
    assert path.read_text() == "{}\n"


def test_a_directory_is_refused(tmp_path):
    with pytest.raises(BadInput, match=re.escape(f"{tmp_path}: is a directory, wanted the path of a file")):
        check_writable(tmp_path, "JSON report")


def test_a_file_in_the_place_of_the_directory_is_refused(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(BadInput, match=re.escape(f"cannot be written there: {tmp_path}/file is not a directory")):
        check_writable(tmp_path / "file" / "report.json", "JSON report")
    with pytest.raises(BadInput, match="Not a directory"):
        check_writable(tmp_path / "file" / "deep" / "report.json", "JSON report")


def test_a_name_that_is_too_long_is_refused(tmp_path):
    with pytest.raises(BadInput, match="File name too long"):
        check_writable(tmp_path / ("x" * 300), "JSON report")


@NOT_FOR_ROOT
def test_a_read_only_directory_is_refused(tmp_path):
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(BadInput, match="cannot be written there: Permission denied"):
            check_writable(tmp_path / "report.json", "JSON report")
    finally:
        tmp_path.chmod(0o755)


@NOT_FOR_ROOT
def test_a_writable_file_in_a_read_only_directory_is_written_in_place(tmp_path):
    path = tmp_path / "report.json"
    path.write_text("old")
    tmp_path.chmod(0o555)
    try:
        check_writable(path, "JSON report")
        write_report(path, {})
    finally:
        tmp_path.chmod(0o755)
    assert path.read_text() == "{}\n"


@NEEDS_DEV_FULL
def test_a_full_disk_is_one_message_with_path_and_reason():
    check_writable("/dev/full", "JSON report")

    with pytest.raises(TailgateError) as caught:
        write_report("/dev/full", {"runs": ["x" * 100_000]})

    assert str(caught.value) == "/dev/full: the JSON report could not be written: No space left on device"
    assert Path("/dev/full").is_char_device()


def test_a_failed_write_leaves_the_old_report_and_no_other_file(tmp_path, monkeypatch):
    path = tmp_path / "report.json"
    path.write_text("old")

    def fail(self, data):
        self.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(TailgateError, match="No space left on device"):
        write_report(path, {})

    assert path.read_text() == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["report.json"]


def test_a_link_stays_a_link(tmp_path):
    link = tmp_path / "latest.json"
    link.symlink_to(tmp_path / "real.json")

    check_writable(link, "JSON report")
    assert not (tmp_path / "real.json").exists()
    write_report(link, {})

    assert link.is_symlink()
    assert (tmp_path / "real.json").read_text() == "{}\n"


def test_a_named_pipe_is_checked_without_blocking_and_written_straight(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    check_writable(pipe, "JSON report")
    received = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_text()))
    reader.start()

    write_report(pipe, {})

    reader.join(timeout=10)
    assert received == ["{}\n"]


def test_the_report_can_be_read_by_others_as_the_umask_says(tmp_path):
    other = tmp_path / "other"
    other.write_text("")

    write_report(tmp_path / "report.json", {})

    assert (tmp_path / "report.json").stat().st_mode == other.stat().st_mode
