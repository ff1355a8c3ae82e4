"""Everything is gone, whichever way pytest ended. A real pytest with a real stack is ended in each way."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.acceptance.stack_processes import is_alive

SERVICE = Path(__file__).with_name("small_service.py")
SOURCE = Path(__file__).parents[2] / "src"

CONFTEST = f"""
import json, pathlib, sys
import psutil, pytest
from tailgate.stack import Nginx, Postgres, Process, Sandbox, Stack, http_answers

@pytest.fixture(scope="session")
def stack():
    with Sandbox() as box:
        database = Postgres(box).start()
        port = box.port()
        argv = [sys.executable, {str(SERVICE)!r}, "shop", str(port), "notes"]
        ready = http_answers(f"http://127.0.0.1:{{port}}/")
        shop = Process(box, "shop", argv, cwd=pathlib.Path.cwd(), port=port, ready=ready).start()
        nginx = Nginx(box, [shop]).start()
        stack = Stack(url=nginx.url, services={{"shop": shop}}, postgres=database, nginx=nginx)
        stack.wait_ready()
        directories = {{str(box.directory), str(pathlib.Path("/dev/shm") / box.directory.name)}}
        started = [child.pid for child in psutil.Process().children(recursive=True)]
        pathlib.Path("started.new").write_text(json.dumps([started, sorted(directories)]))
        pathlib.Path("started.new").rename("started")
        yield stack
"""

TESTS = """
import time

def test_that_passes(stack):
    assert stack.check_alive() == []

def test_that_fails(stack):
    assert stack.url is None

def test_that_lasts(stack):
    time.sleep(60)
"""


@dataclass(frozen=True)
class Session:
    """A pytest that runs with its own stack."""

    pytest: subprocess.Popen[bytes]
    processes: tuple[psutil.Process, ...]
    """What it started, the guard included."""
    directories: tuple[Path, ...]
    notes: Path

    def wait_gone(self) -> None:
        """Wait until every process, directory and shared memory segment is gone."""
        deadline = time.monotonic() + 15
        while left := self.left():
            assert time.monotonic() < deadline, left
            time.sleep(0.02)

    def left(self) -> list[object]:
        memory = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
        creators = {int(line.split()[4]) for line in memory}
        return [
            *(process for process in self.processes if is_alive(process)),
            *(directory for directory in self.directories if directory.exists()),
            *(f"memory of {process}" for process in self.processes if process.pid in creators),
        ]


@pytest.fixture
def run_pytest(tmp_path: Path) -> Iterator[Callable[..., Session]]:
    """Start pytest for one of the tests, as a terminal would, and wait until its stack is ready."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    sessions = []

    def start(test: str, **env: str) -> Session:
        environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(SOURCE), **env}
        environment.pop("PYTEST_ADDOPTS", None)
        command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "-k", test]
        with (tmp_path / "output").open("wb") as output:
            running = subprocess.Popen(
                command, cwd=tmp_path, env=environment, stdout=output, stderr=output, start_new_session=True
            )
        sessions.append(running)
        deadline = time.monotonic() + 30
        while not (tmp_path / "started").exists():
            is_over = running.poll() is not None or time.monotonic() > deadline
            assert not is_over, (tmp_path / "output").read_text()
            time.sleep(0.01)
        started, directories = json.loads((tmp_path / "started").read_text())
        processes = tuple(psutil.Process(pid) for pid in started if psutil.pid_exists(pid))
        return Session(running, processes, tuple(map(Path, directories)), tmp_path / "notes")

    yield start
    for running in sessions:
        if running.poll() is None:
            running.kill()
            running.wait()


@pytest.mark.parametrize(("test", "exit_code"), [("passes", 0), ("fails", 1)])
def test_nothing_is_left_after_a_test_that(run_pytest, test, exit_code):
    session = run_pytest(test)
    assert session.pytest.wait(timeout=30) == exit_code
    assert session.left() == []  # at once: pytest itself waits for the end of the stack


def test_nothing_is_left_after_ctrl_c(run_pytest):
    session = run_pytest("lasts")
    os.killpg(session.pytest.pid, signal.SIGINT)
    assert session.pytest.wait(timeout=30) == pytest.ExitCode.INTERRUPTED
    assert session.left() == []


def test_nothing_is_left_after_a_second_ctrl_c_while_the_stack_is_being_stopped(run_pytest):
    session = run_pytest("lasts", SLOW_STOP="1")
    os.killpg(session.pytest.pid, signal.SIGINT)
    deadline = time.monotonic() + 10
    while "SIGTERM" not in session.notes.read_text():
        assert time.monotonic() < deadline, "nobody asked the service to stop"
        time.sleep(0.01)
    os.killpg(session.pytest.pid, signal.SIGINT)
    assert session.pytest.wait(timeout=30) != 0
    session.wait_gone()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_nothing_is_left_when_pytest_dies_of(run_pytest, number):
    session = run_pytest("lasts")
    session.pytest.send_signal(number)
    assert session.pytest.wait(timeout=30) == -number
    session.wait_gone()


def test_nothing_is_left_when_pytest_is_killed_while_the_stack_starts(run_pytest, tmp_path):
    (tmp_path / "conftest.py").write_text(CONFTEST.replace("stack.wait_ready()", ""))
    session = run_pytest("lasts")
    session.pytest.kill()
    session.pytest.wait(timeout=30)
    session.wait_gone()
