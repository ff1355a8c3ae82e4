"""What a run was made on."""

import json
import os
import platform
from pathlib import Path

import pytest

from tailgate import fingerprint
from tailgate.fingerprint import take_fingerprint


def test_a_fingerprint_names_the_machine_and_the_versions():
    found = take_fingerprint()

    assert list(found) == ["cpu_model", "cpu_count", "memory_bytes", "system", "python", "packages"]
    assert found["cpu_count"] == os.cpu_count()
    assert found["python"] == platform.python_version()
    assert found["memory_bytes"] > 0
    assert found["packages"]["pytest"] == pytest.__version__


def test_a_fingerprint_is_made_of_json_values():
    assert json.loads(json.dumps(take_fingerprint())) == take_fingerprint()


def test_a_package_that_is_not_installed_has_no_version(monkeypatch):
    monkeypatch.setattr(fingerprint, "_PACKAGES", ("no-such-package",))

    assert take_fingerprint()["packages"] == {"no-such-package": None}


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
