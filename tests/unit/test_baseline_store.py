"""Baselines on the disk: nothing is lost, nothing is half written, every refusal is told."""

import errno
import multiprocessing
import os
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st

from tailgate import baseline_store
from tailgate.baseline_store import BaselineStore, check_name, file_name
from tailgate.errors import BadInput, BaselineFileError
from tailgate.model import Verdict
from tests.unit.baseline_examples import history, saved, series

PEAK = Path(".tailgate", "baselines", "main", "peak.json")


@pytest.fixture
def store(tmp_path):
    return BaselineStore(tmp_path)


def names_of(runs):
    return [run.test for run in runs]


def numbered(*numbers):
    return [saved(test=f"test_{number}") for number in numbers]


def test_nothing_is_there_before_the_first_save(store, tmp_path):
    assert store.load("main", "peak") == ()
    assert store.list() == ()
    assert list(tmp_path.iterdir()) == []


def test_saved_runs_are_kept_oldest_first(store, tmp_path):
    for run in numbered(1, 2, 3):
        assert store.save("main", run) == tmp_path / PEAK

    assert names_of(store.load("main", "peak")) == ["test_1", "test_2", "test_3"]


def test_names_and_scenarios_do_not_mix(store):
    store.save("main", saved())
    store.save("release", saved())
    store.save("main", saved(scenario="spike"))

    assert [(entry.name, entry.runs[0].scenario) for entry in store.list()] == [
        ("main", "peak"),
        ("main", "spike"),
        ("release", "peak"),
    ]
    assert len(store.load("main", "peak")) == 1


def test_only_the_newest_runs_are_kept(tmp_path):
    store = BaselineStore(tmp_path, kept_runs=3)
    for run in numbered(1, 2, 3, 4, 5):
        store.save("main", run)

    assert names_of(store.load("main", "peak")) == ["test_3", "test_4", "test_5"]


def begun(day, minute, **changes):
    return saved(test=f"{day} {minute}", started_at=f"2026-01-{day:02}T12:{minute:02}:00+00:00", **changes)


def test_of_runs_that_began_close_together_the_newest_are_kept_longest(tmp_path):
    """Three loads a session, of which a comparison uses one."""
    store = BaselineStore(tmp_path, kept_runs=5)
    for day in (1, 2, 3, 4):
        for minute in (0, 1, 2):
            store.save("main", begun(day, minute))

    assert names_of(store.load("main", "peak")) == ["1 2", "2 2", "3 2", "4 1", "4 2"]

    store.save("main", begun(5, 0))
    store.save("main", begun(6, 0))

    assert names_of(store.load("main", "peak")) == ["2 2", "3 2", "4 2", "5 0", "6 0"]


def test_a_run_on_another_machine_stands_for_no_other(tmp_path):
    store = BaselineStore(tmp_path, kept_runs=2)
    elsewhere = {**saved().fingerprint, "cpu_model": "Xeon"}
    for run in (begun(1, 0, fingerprint=elsewhere), begun(1, 1), begun(1, 2)):
        store.save("main", run)

    assert names_of(store.load("main", "peak")) == ["1 0", "1 2"]


def test_twenty_runs_are_kept(store):
    assert baseline_store.KEPT_RUNS == 20


def _save_some(root, process):
    store = BaselineStore(root, kept_runs=100)
    for number in range(5):
        store.save("main", saved(test=f"test_{process}_{number}"))


def test_writers_at_the_same_time_lose_nothing(tmp_path):
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=_save_some, args=(tmp_path, number), daemon=True) for number in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)

    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert sorted(names_of(BaselineStore(tmp_path).load("main", "peak"))) == sorted(
        f"test_{process}_{number}" for process in range(3) for number in range(5)
    )


def test_a_writer_that_waits_too_long_says_for_what(store, tmp_path, monkeypatch):
    store.save("main", saved())
    monkeypatch.setattr(baseline_store, "_PATIENCE_S", 0.01)

    with FileLock(tmp_path / ".tailgate/baselines/.lock"), pytest.raises(BaselineFileError) as raised:
        store.save("main", saved())

    assert str(raised.value) == (
        ".tailgate/baselines: another process has been writing for 0 s; end that process, and run again"
    )


def test_a_full_disk_leaves_the_old_file(store, tmp_path, monkeypatch):
    store.save("main", saved(test="old"))

    def refuse(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", refuse)
        with pytest.raises(BaselineFileError) as raised:
            store.save("main", saved(test="new"))

    assert str(raised.value) == (
        f"{PEAK}: cannot be written: No space left on device; check the path and its permissions"
    )
    assert names_of(store.load("main", "peak")) == ["old"]
    assert [path.name for path in (tmp_path / PEAK).parent.iterdir()] == ["peak.json"]


def test_what_a_killed_process_left_is_in_nobodys_way(store, tmp_path):
    store.save("main", saved(test="old"))
    (tmp_path / PEAK).with_name(".peak.json.tmp").write_text("half a fi")

    assert len(store.list()) == 1
    store.save("main", saved(test="new"))

    assert names_of(store.load("main", "peak")) == ["old", "new"]
    assert [path.name for path in (tmp_path / PEAK).parent.iterdir()] == ["peak.json"]


def test_a_directory_that_cannot_be_synced_does_not_matter(store, monkeypatch):
    real = os.open

    def refuse(path, flags, *rest, **options):
        if Path(path).is_dir():
            raise OSError(errno.EINVAL, "no")
        return real(path, flags, *rest, **options)

    monkeypatch.setattr(os, "open", refuse)
    store.save("main", saved())

    assert len(store.load("main", "peak")) == 1


@pytest.mark.parametrize("verdict", [Verdict.FAIL, Verdict.INVALID])
def test_a_run_that_did_not_pass_is_never_saved(store, tmp_path, verdict):
    with pytest.raises(ValueError, match=f"^a run whose verdict is {verdict} cannot be a baseline$"):
        store.save("main", saved(verdict=verdict))

    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_half_a_character_comes_back(store):
    odd = saved(requests={"GET a\udc80b": series(), "GET ü": series()})
    store.save("main", odd)

    assert store.load("main", "peak") == (odd,)


@pytest.mark.parametrize("text", ["{", '{"schema": 2}'])
def test_a_file_that_cannot_be_read_is_never_written_over(store, tmp_path, text):
    path = tmp_path / PEAK
    path.parent.mkdir(parents=True)
    path.write_text(text)

    with pytest.raises(BaselineFileError, match=r"^\.tailgate/baselines/main/peak\.json: "):
        store.save("main", saved())

    assert path.read_text() == text


def test_a_file_with_other_bytes_is_told(store, tmp_path):
    path = tmp_path / PEAK
    path.parent.mkdir(parents=True)
    path.write_bytes(b"{\xff}")

    with pytest.raises(BaselineFileError) as raised:
        store.load("main", "peak")

    assert str(raised.value) == (
        f"{PEAK}: broken: byte 0xff at 1 is not UTF-8; move it away, and save again with --perf-save"
    )


def test_a_huge_file_is_not_read(store, tmp_path, monkeypatch):
    store.save("main", saved())
    monkeypatch.setattr(baseline_store, "_MOST_BYTES", 100)

    with pytest.raises(BaselineFileError) as raised:
        store.load("main", "peak")

    assert str(raised.value) == f"{PEAK}: longer than 100 bytes; is it a baseline? move it away"


def test_a_file_where_a_directory_should_be_is_told(store, tmp_path):
    (tmp_path / ".tailgate").write_text("")

    for act in (lambda: store.load("main", "peak"), store.list):
        with pytest.raises(BaselineFileError, match="cannot be read: Not a directory; check the path and its permis"):
            act()
    with pytest.raises(BaselineFileError, match="cannot be written: Not a directory; check the path and its permis"):
        store.save("main", saved())


def test_a_directory_that_must_not_be_read_is_told(store, monkeypatch):
    store.save("main", saved())

    def refuse(*_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "scandir", refuse)

    with pytest.raises(BaselineFileError) as raised:
        store.list()

    assert str(raised.value) == (
        ".tailgate/baselines: cannot be read: Permission denied; check the path and its permissions"
    )


def test_a_directory_in_place_of_a_file_is_told(store, tmp_path):
    (tmp_path / PEAK).mkdir(parents=True)

    with pytest.raises(BaselineFileError, match=r"peak\.json: cannot be read: Is a directory"):
        store.load("main", "peak")


def test_a_list_tells_what_cannot_be_read_and_goes_on(store, tmp_path):
    store.save("main", saved())
    (tmp_path / PEAK).with_name("broken.json").write_text("{")
    entries = store.list()

    assert [(entry.path.name, len(entry.runs), bool(entry.problem)) for entry in entries] == [
        ("broken.json", 0, True),
        ("peak.json", 1, False),
    ]
    assert entries[0].problem.startswith(".tailgate/baselines/main/broken.json: broken: not JSON: ")


@pytest.mark.parametrize("scenario", ["../../etc/passwd", "a/b", "..", "", "ünï", "a b", "x" * 300, "CON~", "a\udc80"])
def test_any_scenario_has_a_safe_file_of_its_own(scenario):
    name = file_name(scenario)

    assert len(name) < 100
    assert "/" not in name
    assert not name.startswith(".")
    assert name.isascii()


def test_a_scenario_with_an_odd_name_comes_back(store):
    runs = [replace(run, scenario="../a b/ü") for run in history(20.0, 21.0)]
    for run in runs:
        store.save("main", run)

    assert store.load("main", "../a b/ü") == tuple(runs)
    assert store.load("main", "../a b/u") == ()


@given(st.lists(st.text(max_size=80), min_size=2, max_size=2, unique=True))
def test_two_scenarios_never_share_a_file(pair):
    assert file_name(pair[0]) != file_name(pair[1])


@pytest.mark.parametrize("name", ["main", "release-1.2", "2025_03", "x" * 64])
def test_a_safe_name_is_taken_as_it_is(name):
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "-x", "a/b", "a\\b", "a b", "ü", "x" * 65, "main\n"])
def test_an_unsafe_name_is_refused(store, name):
    with pytest.raises(BadInput) as raised:
        store.load(name, "peak")

    assert str(raised.value) == (
        f"{name!r} cannot be the name of a baseline; "
        "wanted 1 to 64 letters, digits, dots, dashes or underscores, the first a letter or digit"
    )


def test_where_something_can_be_written_directories_are_made_and_no_file_is_left(store, tmp_path):
    store.check_writable("main")

    assert (tmp_path / PEAK).parent.is_dir()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_where_nothing_can_be_written_the_path_is_named_before_any_run(store, tmp_path):
    (tmp_path / ".tailgate").touch()

    with pytest.raises(BaselineFileError, match=r"^\.tailgate/baselines/main: cannot be written: "):
        store.check_writable("main")
    with pytest.raises(BadInput, match="cannot be the name of a baseline"):
        store.check_writable("../main")
