"""What a run was made on."""

import json
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from tailgate import fingerprint
from tailgate.fingerprint import Commit, take_commit, take_fingerprint


def test_a_fingerprint_names_the_machine_and_the_versions():
    found = take_fingerprint()

    assert list(found) == [
        "cpu_model", "cpu_count", "usable_cpu_count", "cpu_limit", "memory_bytes", "memory_limit_bytes", "system",
        "kernel", "machine", "python", "packages",
    ]  # fmt: skip
    assert found["cpu_count"] == os.cpu_count()
    assert found["python"] == platform.python_version()
    assert found["memory_bytes"] > 0
    assert 1 <= found["usable_cpu_count"] <= found["cpu_count"]
    assert found["kernel"] == f"{platform.system()} {platform.release()}"
    assert found["packages"]["pytest"] == pytest.__version__


def test_a_fingerprint_is_made_of_json_values():
    assert json.loads(json.dumps(take_fingerprint())) == take_fingerprint()


def test_a_package_that_is_not_installed_has_no_version(monkeypatch):
    monkeypatch.setattr(fingerprint, "_PACKAGES", ("no-such-package",))

    assert take_fingerprint()["packages"]["no-such-package"] is None


@pytest.mark.parametrize(
    ("text", "model"),
    [
        ("processor\t: 0\nmodel name\t: Fast CPU: 3 GHz\nmodel name\t: Other\n", "Fast CPU: 3 GHz"),
        ("processor\t: 0\n", "arm"),
        ("", "arm"),
    ],
)
def test_the_processor_is_the_first_that_the_system_names(monkeypatch, tmp_path, text, model):
    (tmp_path / "cpuinfo").write_text(text)
    monkeypatch.setattr(fingerprint, "Path", lambda _: tmp_path / "cpuinfo")
    monkeypatch.setattr(platform, "processor", lambda: "arm")

    assert take_fingerprint()["cpu_model"] == model


def test_a_processor_that_nothing_names_is_unknown(monkeypatch, tmp_path):
    monkeypatch.setattr(fingerprint, "Path", lambda _: Path(tmp_path / "missing"))
    monkeypatch.setattr(platform, "processor", lambda: "")

    assert take_fingerprint()["cpu_model"] is None


class Header:
    """A file of an installed package."""

    name = "pg_config.h"

    def __init__(self, path, text):
        path.write_text(text)
        self._path = path

    def locate(self):
        return self._path


class Package:
    def __init__(self, *files):
        self.files = files


@pytest.fixture
def postgresql_of(monkeypatch):
    """Ask for PostgreSQL's version where a package has the given files."""

    def ask(*files):
        monkeypatch.setattr(fingerprint, "distribution", lambda _: Package(*files))
        return fingerprint._postgresql_version.__wrapped__()

    return ask


def test_postgresql_is_the_newest_that_is_installed(postgresql_of, tmp_path):
    old = Header(tmp_path / "old", '#define PG_VERSION "9.6"\n')
    new = Header(tmp_path / "new", '#define PG_MAJORVERSION "16"\n#define PG_VERSION "16.10"\n')

    assert postgresql_of(old, new) == "16.10"
    assert postgresql_of(new, old) == "16.10"


def test_postgresql_without_a_version_is_unknown(postgresql_of, tmp_path):
    assert postgresql_of(Header(tmp_path / "other", "#define OTHER 1\n")) is None
    assert postgresql_of() is None


def test_postgresql_that_is_not_installed_is_unknown(monkeypatch):
    def refuse(_):
        raise PackageNotFoundError

    monkeypatch.setattr(fingerprint, "distribution", refuse)

    assert fingerprint._postgresql_version.__wrapped__() is None


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A git repository with one commit."""
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))  # as in a hook
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    (tmp_path / "app.py").write_text("one")
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for arguments in (["init", "-q"], ["add", "app.py"], [*identity, "commit", "-qm", "One"]):
        subprocess.run(["git", "-C", tmp_path, *arguments], check=True, env=environment)
    return tmp_path


def test_a_commit_is_the_one_that_is_checked_out(repository):
    commit = take_commit(repository)

    assert len(commit.sha) == 40
    assert str(commit) == commit.sha[:10]


def test_a_changed_file_makes_a_commit_dirty(repository):
    (repository / "app.py").write_text("two")

    assert str(take_commit(repository)) == take_commit(repository).sha[:10] + "+dirty"


def test_a_file_that_git_does_not_track_makes_no_commit_dirty(repository):
    (repository / "report.json").write_text("{}")

    assert not take_commit(repository).is_dirty


def test_there_is_no_commit_outside_of_a_repository(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))

    assert take_commit(tmp_path / "nowhere") is None


def test_there_is_no_commit_without_git(repository, monkeypatch):
    monkeypatch.setenv("PATH", str(repository))

    assert take_commit(repository) is None


def test_a_commit_is_shown_short():
    assert str(Commit(sha="0123456789abcdef", is_dirty=True)) == "0123456789+dirty"
