"""The thresholds file on disk: what it is called, and what happens when it cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tailgate.errors import ThresholdFileError
from tailgate.thresholds import load_thresholds

NAME = "thresholds.yaml"
SMALL = "scenarios: {browse: {total: {p95_ms: 250}}}"


def test_a_file_is_called_by_its_path_from_the_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "perf" / "limits.yaml"
    path.parent.mkdir()
    path.write_text(SMALL, encoding="utf-8")

    for written in (path, path.relative_to(tmp_path), Path("perf/../perf/limits.yaml")):
        found = load_thresholds(written)
        assert found.name == "perf/limits.yaml"
        assert found.scenarios["browse"].source == "perf/limits.yaml:1"


def test_a_file_elsewhere_is_called_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    path = tmp_path / "limits.yaml"
    path.write_text(SMALL, encoding="utf-8")

    assert load_thresholds(path).name == str(path)


def test_a_byte_order_mark_is_passed_over(tmp_path: Path):
    path = tmp_path / NAME
    path.write_bytes(b"\xef\xbb\xbf" + SMALL.encode())

    assert list(load_thresholds(path).scenarios) == ["browse"]


def refusal(path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(path.parent)
    with pytest.raises(ThresholdFileError) as caught:
        load_thresholds(Path(path.name))
    (problem,) = caught.value.problems
    return problem


def test_a_missing_file_says_where_it_was_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / NAME

    assert refusal(path, monkeypatch) == (
        f"thresholds.yaml: no such file, looked for {path}; create it, for example with "
        "scenarios: {browse: {total: {p95_ms: 250, failure_ratio: 0.01}}}, or give the right path"
    )


def test_a_directory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / NAME
    path.mkdir()

    assert refusal(path, monkeypatch) == ("thresholds.yaml: is a directory; give the path of the thresholds file in it")


def test_a_file_without_permission_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / NAME

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # root may read everything, so no mode bits would refuse it

    assert refusal(path, monkeypatch) == (
        f"thresholds.yaml: cannot be read: Permission denied ({path}); check the path and its permissions"
    )


def test_a_path_that_no_file_could_have_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ThresholdFileError, match=r"cannot be read: .*null"):
        load_thresholds(Path("a\0b"))


def test_an_empty_file_says_what_to_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / NAME
    path.touch()

    assert refusal(path, monkeypatch) == (
        "thresholds.yaml:1: the file is empty; write at least one scenario, such as "
        "scenarios: {browse: {total: {p95_ms: 250, failure_ratio: 0.01}}}"
    )


def test_a_file_that_is_not_utf_8_is_refused_with_the_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / NAME
    path.write_bytes(b"# limits\nscenarios: {caf\xe9: {}}")

    assert refusal(path, monkeypatch) == "thresholds.yaml:2: byte 0xe9 is not UTF-8; save the file as UTF-8"


def test_an_endless_file_is_refused(monkeypatch: pytest.MonkeyPatch):
    assert refusal(Path("/dev/zero"), monkeypatch) == "zero: longer than 1,048,576 bytes; is it the right file?"
