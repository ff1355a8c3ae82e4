"""What is said about containers, from what the engine tells of them; and about a Docker that is not there."""

from __future__ import annotations

import pytest

from tailgate.errors import BadInput
from tailgate.stack.compose import _errors, _problem
from tailgate.stack.containers import render_end, render_health
from tailgate.stack.docker import check_engine, last_line


def fake_docker(monkeypatch, directory, script):
    """Put a docker on the PATH that answers as the script does."""
    program = directory / "docker"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(directory))


def container(status="running", **state):
    known = {"Status": status, "Running": status == "running", "ExitCode": 0, "OOMKilled": False}
    labels = {"com.docker.compose.service": "shop"}
    return {"Id": "4f2a", "State": known | state, "Config": {"Labels": labels}}


@pytest.mark.parametrize(
    ("state", "text"),
    [
        ({"ExitCode": 0, "OOMKilled": False}, "exited with code 0"),
        ({"ExitCode": 2, "OOMKilled": False}, "exited with code 2"),
        ({"ExitCode": 137, "OOMKilled": False}, "was killed by SIGKILL"),
        ({"ExitCode": 137, "OOMKilled": True}, "was killed by SIGKILL, since it wanted more memory than its limit"),
    ],
)
def test_the_end_of_a_container_is_put_in_words(state, text):
    assert render_end(state) == text


def test_health_is_told_with_the_last_line_that_the_last_failed_check_wrote():
    checks = [{"ExitCode": 1, "Output": "refused\n"}, {"ExitCode": 1, "Output": "Traceback:\n  in one\nno answer\n"}]
    assert render_health({"Status": "unhealthy", "Log": checks}) == "unhealthy: no answer"
    assert render_health({"Status": "starting", "Log": None}) == "starting"


@pytest.mark.parametrize(
    ("one", "rank"),
    [
        (container("exited", ExitCode=3), 0),
        (container(Health={"Status": "unhealthy", "Log": []}), 1),
        (container(Health={"Status": "starting", "Log": []}), 1),
        (container("exited"), 2),
    ],
)
def test_a_crash_explains_more_than_a_bad_health_and_that_more_than_an_end(one, rank):
    found = _problem(one)
    assert found is not None
    assert (found[0], found[1], found[3]) == (rank, "shop", "4f2a")


@pytest.mark.parametrize("one", [container("created"), container(), container(Health={"Status": "healthy"})])
def test_a_container_that_only_waited_for_others_is_no_problem(one):
    assert _problem(one) is None


def test_of_what_compose_wrote_the_errors_are_told():
    output = """Command docker compose up returned 18: \"\"\" nginx Pulling
 nginx Error manifest unknown
Error response from daemon: manifest unknown
\"\"\"."""
    assert _errors(output) == "nginx Error manifest unknown; Error response from daemon: manifest unknown"


def test_without_an_error_in_it_the_last_line_is_told():
    assert _errors("one\n\nyaml: line 2: did not find expected key\n\n") == "yaml: line 2: did not find expected key"


def test_the_last_line_of_nothing_is_nothing():
    assert last_line("\n") == ""


def test_without_docker_the_message_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    message = "^there is no docker command on the PATH; install Docker, or use --perf-stack=embedded, which needs none$"
    with pytest.raises(BadInput, match=message):
        check_engine()


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (
            "echo Cannot connect. >&2; exit 1",
            r"^no Docker daemon answers at unix:///nowhere \(docker version .*: Cannot connect\.\); start it, set",
        ),
        (
            '[ "$1" = version ] && echo 28.2.2 || exit 1',
            "^docker has no compose plugin; install docker compose version 2.20 or later, or use --perf-stack=embedded",
        ),
        ("echo 1.29.2", "^docker compose is version 1.29.2, wanted 2.20 or later; update it, or use"),
        ("echo v2.17.3", "^docker compose is version v2.17.3, wanted 2.20 or later; update it, or use"),
    ],
)
def test_a_docker_that_cannot_be_used_is_told_with_what_to_do(monkeypatch, tmp_path, script, message):
    fake_docker(monkeypatch, tmp_path, script)
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    with pytest.raises(BadInput, match=message):
        check_engine()


@pytest.mark.parametrize("version", ["2.20.0", "2.26.1-4", "v2.40.0", "5.0.1", "10.1.0", "dev"])
def test_compose_2_20_and_later_will_do(monkeypatch, tmp_path, version):
    fake_docker(monkeypatch, tmp_path, f"echo {version}")
    check_engine()
