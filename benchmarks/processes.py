"""Run the generators that are compared, and watch from outside what they do."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psutil

from tailgate.stack import Nginx, Sandbox
from tailgate.turns import machine_turn

FOLDER = Path(__file__).parent
SUITE = FOLDER / "suite"
USERS = 10
AT_ONCE, AFTER_5_MS = "/at_once", "/after_5_ms"
"""What ``nginx.conf`` answers."""
_LOOK_S = 0.05
_MARK = "/.tailgate/"
_TIMEOUT_S = 120.0


class BenchmarkError(Exception):
    """A benchmark could not be run."""


@dataclass(frozen=True, slots=True)
class Look:
    """A look at a running process."""

    at_s: float
    """Wall clock."""
    cpu_s: float
    """Processor time that the process has used so far, user and system."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What was seen of one generator, from its start to its end."""

    started_s: float
    ended_s: float
    looks: tuple[Look, ...]
    answers_s: tuple[float, ...]
    """When the server answered each of its requests, in order."""

    @property
    def start_up_s(self) -> float:
        """From the start of the process to the answer to its first request."""
        return self.answers_s[0] - self.started_s

    @property
    def teardown_s(self) -> float:
        """From the answer to its last request to the end of the process."""
        return self.ended_s - self.answers_s[-1]

    def steady(self, *, settle_s: float, tail_s: float) -> tuple[float, float]:
        """Return processor time in µs per request, and requests/s, while the generator did nothing but send.

        Args:
            settle_s: Left out after the first answer.
            tail_s: Left out before the last answer.
        """
        begin_s, end_s = self.answers_s[0] + settle_s, self.answers_s[-1] - tail_s
        inside = [look for look in self.looks if begin_s <= look.at_s <= end_s]
        if len(inside) < 2:
            raise BenchmarkError("the generator did not run long enough to be measured")
        first, last = inside[0], inside[-1]
        requests = sum(first.at_s <= at_s < last.at_s for at_s in self.answers_s)
        return 1e6 * (last.cpu_s - first.cpu_s) / requests, requests / (last.at_s - first.at_s)


class Witness(Protocol):
    """A server that notes when it answered."""

    def access_log_position(self) -> int:
        """Return a mark behind all requests so far."""
        ...

    def answers_since(self, position: int) -> tuple[float, ...]:
        """Return when it answered each request after ``position``, in order; the wall clock in seconds."""
        ...


class StaticServer(Nginx):
    """A real nginx that answers everything from memory and notes when it did."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(sandbox, [], template=FOLDER / "nginx.conf", health_path=AT_ONCE)
        self._moments = sandbox.directory / self.name / "access.log"

    def answers_since(self, position: int) -> tuple[float, ...]:
        """Return when it answered each request after ``position``, in order; the wall clock in seconds."""
        self.access_log_position()  # has everything written
        with self._moments.open("rb") as file:
            file.seek(position)
            lines = [line.split() for line in file.read().decode().splitlines()]
        return tuple(sorted(float(at) for at, uri in lines if not uri.startswith(_MARK)))


@contextmanager
def static_server() -> Iterator[StaticServer]:
    """Start the server and wait for it."""
    with Sandbox() as sandbox, StaticServer(sandbox) as server:
        yield server.wait_ready()


def tailgate_command() -> list[str]:
    """Return the command of a load test, run by pytest with the plugin."""
    return [*pytest_command(), "-p", "tailgate.plugin", "test_load.py"]


def locust_command(url: str, run_s: float) -> list[str]:
    """Return the command that sends the same load by Locust alone."""
    load = ["--headless", "-u", str(USERS), "-r", str(USERS), "-t", f"{run_s:g}s", "--host", url]
    return [sys.executable, "-m", "locust", "-f", "users.py", *load]


def pytest_command() -> list[str]:
    """Return pytest's command; the plugins that happen to be installed are off, see ``_environment``."""
    return [sys.executable, "-m", "pytest"]


def watch_generator(command: Sequence[str], server: StaticServer, run_s: float, path: str = AT_ONCE) -> Watched:
    """Run a generator that asks ``server`` for ``path``, and return what was seen."""
    settings = {"BENCHMARK_HOST": server.url, "BENCHMARK_PATH": path, "BENCHMARK_RUN_S": str(run_s)}
    return watch_told(command, server, settings)


def watch_told(command: Sequence[str], server: Witness, settings: Mapping[str, str]) -> Watched:
    """Run a generator that is told by ``settings`` to ask ``server``, and return what was seen."""
    position = server.access_log_position()
    with own_turn() as own:
        started_s, looks, ended_s = _watch_process(command, {**own, **settings})
    answers_s = server.answers_since(position)
    if not answers_s:
        raise BenchmarkError(f"{' '.join(command)}: sent no request")
    return Watched(started_s, ended_s, tuple(looks), answers_s)


@contextmanager
def own_turn() -> Iterator[dict[str, str]]:
    """Take the machine's turn, and yield settings with which a load test in a child does not wait for it."""
    with (
        machine_turn(lambda: say("waiting: another load runs on this machine")),
        tempfile.TemporaryDirectory(prefix="tailgate-bench-") as folder,
    ):
        path = os.pathsep.join(filter(None, [str(FOLDER.parent), os.environ.get("PYTHONPATH")]))
        yield {"TMPDIR": folder, "PYTEST_PLUGINS": "benchmarks.waiting", "PYTHONPATH": path}


def run_quietly(
    command: Sequence[str],
    *,
    cwd: Path = SUITE,
    settings: Mapping[str, str] | None = None,
    is_allowed: Callable[[int], bool] = lambda code: code == 0,
) -> str:
    """Run a command to its end and return what it wrote.

    Raises:
        BenchmarkError: It failed; with the end of its output.
    """
    done = subprocess.run(
        command,
        check=False,
        cwd=cwd,
        env=_environment(settings or {}),
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
    )
    if not is_allowed(done.returncode):
        raise _failed(command, done.returncode, done.stdout + done.stderr)
    return done.stdout


def run_child(name: str, *arguments: object) -> Any:
    """Run a module of ``benchmarks.children``, with Locust unpatched as in a load test, and return its result."""
    command = [sys.executable, "-m", f"benchmarks.children.{name}", *map(str, arguments)]
    return json.loads(run_quietly(command, cwd=FOLDER.parent, settings={"LOCUST_SKIP_MONKEY_PATCH": "1"}))


def say(text: str) -> None:
    """Tell on the terminal what goes on; the tables alone go to standard output."""
    print(text, file=sys.stderr, flush=True)


def _watch_process(command: Sequence[str], settings: Mapping[str, str]) -> tuple[float, list[Look], float]:
    looks: list[Look] = []
    started_s = time.time()
    with subprocess.Popen(
        command,
        cwd=SUITE,
        env=_environment(settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as popen:
        looker = threading.Thread(target=_look_until_gone, args=(psutil.Process(popen.pid), looks))
        looker.start()
        try:
            output, _ = popen.communicate(timeout=_TIMEOUT_S)
        finally:
            popen.kill()
            looker.join()
        ended_s = time.time()
    if popen.returncode:
        raise _failed(command, popen.returncode, output)
    return started_s, looks, ended_s


def _look_until_gone(process: psutil.Process, looks: list[Look]) -> None:
    while process.is_running():
        with contextlib.suppress(OSError, psutil.Error):  # One has ended meanwhile.
            cpu_s = sum(map(_cpu_s, [process.pid, *_offspring(process.pid)]))
            looks.append(Look(time.time(), cpu_s))
        time.sleep(_LOOK_S)


def _offspring(pid: int) -> Iterator[int]:
    """Yield its children and theirs, from where Linux lists them: psutil reads every process of the machine instead."""
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, listed.read_text(encoding="ascii").split()):
            yield child
            yield from _offspring(child)


def _cpu_s(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return our environment with ``settings``; plugins run only if they are asked for with ``-p``."""
    return {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **settings}


def _failed(command: Sequence[str], code: int, output: str) -> BenchmarkError:
    tail = "\n".join(output.splitlines()[-25:])
    return BenchmarkError(f"{' '.join(command)}: exit code {code}\n{tail}")
