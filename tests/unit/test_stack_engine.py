"""What is asked of the engine directly, and an engine that does not answer."""

from __future__ import annotations

import os

import pytest

from tailgate.errors import TailgateError
from tailgate.stack import docker


@pytest.fixture
def engine(monkeypatch, tmp_path):
    """Have docker do what a script says."""

    def have(script):
        program = tmp_path / "docker"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    return have


def test_processor_time_is_told_in_nanoseconds(engine):
    engine(
        r"""read -r get; printf 'HTTP/1.0 200 OK\r\n\r\n{"cpu_stats": {"cpu_usage": {"total_usage": 1500000000}}}'"""
    )
    assert docker.read_cpu_s("4f2a") == 1.5


@pytest.mark.parametrize("script", ["exec sleep 60", "exit 1"])
def test_an_engine_that_does_not_answer_is_not_waited_for_without_end(engine, monkeypatch, script):
    engine(script)
    monkeypatch.setattr(docker, "ANSWER_TIMEOUT_S", 0.3)
    with pytest.raises(TailgateError, match=r"^no processor time of container 4f2a: the engine did not answer$"):
        docker.read_cpu_s("4f2a")
