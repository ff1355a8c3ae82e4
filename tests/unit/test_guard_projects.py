"""Whose containers, and whose programs, the end of a session ends: its own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tailgate.errors import BadInput
from tailgate.stack import ComposeProject
from tailgate.stack.guard import kill_programs

PROJECT = f"tailgate-test-{os.getpid()}"
WAIT = ["-c", "import sys; print(flush=True); sys.stdin.read()"]


@pytest.fixture
def running():
    """Start programs that wait, under any name and with any arguments."""
    started = []

    def start(name, *arguments):
        one = subprocess.Popen(
            [name, *WAIT, *arguments], executable=sys.executable, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        started.append(one)
        assert one.stdout.readline()
        return one

    yield start
    for one in started:
        one.kill()
        one.communicate()


@pytest.mark.parametrize(
    ("name", "option"),
    [("docker", "-p"), ("/usr/bin/docker", "--project-name"), ("/usr/libexec/docker/cli-plugins/docker-compose", "-p")],
)
def test_a_docker_that_works_for_the_project_is_killed(running, name, option):
    one = running(name, "compose", "-f", "x.yaml", option, PROJECT, "up")
    assert kill_programs(PROJECT)
    assert one.wait(20) == -9


def test_whoever_only_names_the_project_is_left_alone(running):
    others = [
        running("docker", "exec", "-it", PROJECT, "bash"),
        running("docker", "compose", "-p", f"{PROJECT}-2", "logs", PROJECT),
        running("docker-watch", "-p", PROJECT),
        running("less", "-p", PROJECT),
    ]
    assert not kill_programs(PROJECT)
    assert [one.poll() for one in others] == [None] * 4


DOCKER = """#!/bin/sh
echo "$@" >>"{calls}"
case "$1 $2" in
version*|"compose version") echo 2.40.0 ;;
{found}
esac
"""


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ('"volume ls") echo shop_data ;;', "1 volume"),
        ('"container ls") echo one two ;; "network ls") echo three ;;', "2 containers, 1 network"),
    ],
)
def test_a_project_that_is_there_already_is_refused_and_nothing_of_it_removed(monkeypatch, tmp_path, found, told):
    calls = tmp_path / "calls"
    program = tmp_path / "docker"
    program.write_text(DOCKER.format(calls=calls, found=found))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(BadInput) as caught, ComposeProject(PROJECT, []):
        pass
    assert str(caught.value) == (
        f"the compose project {PROJECT!r} is there already ({told}) and would be removed in the end, with all of its "
        "data; give another name (fixture docker_compose_project_name), or remove it yourself: "
        f"docker compose -p {PROJECT} down --volumes"
    )
    looks = [line for line in calls.read_text().splitlines() if "ls" in line.split()]
    assert {f"label=com.docker.compose.project={PROJECT}" in line for line in looks} == {True}
    assert " rm " not in calls.read_text()
