"""Real pytest sessions against containers of their own, and what Docker has left of a project."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.children import mortal

ROOT = Path(__file__).parents[2]
KINDS = {"container": ["ls", "--all"], "network": ["ls"], "volume": ["ls"]}
PATIENCE_S = 90

SERVE = "server.test(server.SimpleHTTPRequestHandler, port=8000)"
COMPOSE = f"""
services:
  shop:
    image: python:3.13-slim
    command:
      - python
      - -uc
      - |
        from http import server
        print("shop opens")
        {SERVE}
    init: true
    ports: ["127.0.0.1::8000"]
    volumes: ["goods:/goods"]
    healthcheck:
      test: [CMD, python, -ISc, "import socket; socket.create_connection(('127.0.0.1', 8000))"]
      interval: 1s
volumes:
  goods:
"""

CONFTEST = """
import os, pathlib, pytest

@pytest.fixture(scope="session")
def docker_compose_file():
    return str(pathlib.Path(__file__).with_name("compose.yaml"))

@pytest.fixture(scope="session")
def docker_compose_project_name():
    return os.environ["PROJECT"]

@pytest.fixture(scope="session")
def perf_entry_service():
    return "shop"
"""


def left_of(project: str) -> list[str]:
    """Return what there is of a compose project: containers, networks and volumes."""
    label = f"label=com.docker.compose.project={project}"
    found = []
    for kind, list_all in KINDS.items():
        command = ["docker", kind, *list_all, "--quiet", "--filter", label]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        found += [f"{kind} {identity}" for identity in done.stdout.split()]
    return found


@contextmanager
def running_pytest(directory: Path, *arguments: str, **env: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run pytest in a directory of its own, as a terminal would; its output goes to the file ``output`` there."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")} | env
    # A turn of its own: it waits for no other load of the machine.
    environment |= {
        "TMPDIR": str(directory),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
    }
    (directory / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    command = [sys.executable, "-m", "pytest", "--perf-stack=docker", "-p", "tests.plugin.own_turn"]
    with (directory / "output").open("wb") as output:
        session = subprocess.Popen(
            [*command, "-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:asyncio", *arguments],
            cwd=directory,
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    with mortal(session, 3 * PATIENCE_S):
        yield session


def wait_while_running(session: subprocess.Popen[bytes], is_so: Callable[[], object]) -> None:
    """Wait until something is so; the session must not end before."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert session.poll() is None, "pytest ended"
        assert time.monotonic() < deadline
        time.sleep(0.05)


def wait_gone(project: str) -> None:
    """Wait until nothing is left of a project."""
    deadline = time.monotonic() + PATIENCE_S
    while left := left_of(project):
        assert time.monotonic() < deadline, left
        time.sleep(0.05)
