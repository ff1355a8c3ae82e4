"""Small suites of load tests, run by a pytest of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from textwrap import dedent, indent
from urllib.request import urlopen

import jsonschema
import psutil
import pytest

from tailgate.reports.record import report_schema

ROOT = Path(__file__).parents[2]

PREAMBLE = """
import pytest
from locust import FastHttpUser, constant, task
from tailgate import Stage, Stages

SHAPE = Stages(Stage(name="only", duration_s=0.2, users=2))

class Reader(FastHttpUser):
    host = "{host}"
    wait_time = constant(0.01)

    @task
    def read(self):
        self.client.get("{prefix}/ok", name="Read")
        self.counters.add("reads")

class Unlucky(FastHttpUser):
    host = "{host}"
    wait_time = constant(0.01)

    @task
    def fail(self):
        self.client.get("/status/500", name="Fail")
"""
"""What every module of a suite begins with."""

DEFAULTS = """
defaults:
  generator: {min_loop_lag_ms: 5000, max_cpu_ratio: 2, max_blocked_ratio: 1, min_send_lag_ms: 5000}
scenarios:
"""
"""The limits of the generator are far off: these tests may share the machine with others."""

PATIENCE_S = 120


@dataclass(frozen=True)
class Session:
    """A pytest session that is over."""

    status: int
    output: str
    """What it wrote to the terminal, its standard error after it."""
    directory: Path

    @cached_property
    def runs(self) -> list[dict]:
        """All runs of the JSON report, which keeps to its schema."""
        document = json.loads((self.directory / "report.json").read_text())
        checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
        jsonschema.Draft202012Validator(report_schema(), format_checker=checker).validate(document)
        return document["runs"]

    def runs_of(self, test: str) -> list[dict]:
        return [run for run in self.runs if run["test"].endswith(f"::{test}")]

    def verdicts(self) -> dict[str, list[str]]:
        """Verdicts by the name of the test."""
        found: dict[str, list[str]] = {}
        for run in self.runs:
            found.setdefault(run["test"].split("::")[1], []).append(run["verdict"])
        return found

    @cached_property
    def cases(self) -> dict[str, ET.Element]:
        """Test cases of the JUnit report by the name of the test."""
        tree = ET.parse(self.directory / "junit.xml")
        return {case.get("name", ""): case for case in tree.iter("testcase")}

    def properties(self, test: str) -> dict[str, str]:
        return {item.get("name", ""): item.get("value", "") for item in self.cases[test].iter("property")}

    def failure(self, test: str) -> ET.Element | None:
        return self.cases[test].find("failure")


@dataclass(frozen=True)
class Suite:
    """A directory with load tests and limits, and the service that they load."""

    directory: Path
    host: str
    without: tuple[str, ...] = ("randomly", "asyncio", "hypothesispytest")
    """Plugins to leave out, because they would shuffle the tests, want a setting, or are slow to load."""

    @property
    def prefix(self) -> str:
        """Path below which only this suite sends requests."""
        return f"/{self.directory.name}"

    def write(self, tests: str, limits: str = "") -> Suite:
        """Write a module of load tests, with the preamble, and the limits of its scenarios."""
        preamble = PREAMBLE.replace("{host}", self.host).replace("{prefix}", self.prefix)
        (self.directory / "test_load.py").write_text(preamble + dedent(tests))
        return self.limit(limits)

    def limit(self, limits: str) -> Suite:
        """Write the scenarios of the thresholds file."""
        (self.directory / "thresholds.yaml").write_text(DEFAULTS + indent(dedent(limits), "  "))
        return self

    def put(self, name: str, text: str) -> Suite:
        """Write any other file."""
        (self.directory / name).write_text(dedent(text))
        return self

    def requests(self) -> int:
        """Return how many requests of this suite the service has seen."""
        with urlopen(f"{self.host}/received", timeout=10) as answer:
            received = json.load(answer)
        return sum(count for request, count in received.items() if f" {self.prefix}/" in request)

    def run(self, *args: str, **environment: str) -> Session:
        """Run pytest to its end."""
        with self.start(*args, **environment) as process:
            return self.finish(process)

    @contextmanager
    def start(self, *args: str, stdout: int = subprocess.PIPE, **environment: str):
        """Start pytest; whatever happens, it is gone afterwards."""
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "pytest",
                "-p",
                "no:cacheprovider",
                "-p",
                "tests.plugin.own_turn",
                *(f"-pno:{plugin}" for plugin in self.without),
                *args,
            ],
            cwd=self.directory,
            env=self._environment() | environment,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                _kill_family(process)

    def finish(self, process: subprocess.Popen) -> Session:
        output, _ = process.communicate(timeout=PATIENCE_S)
        return Session(process.returncode, output, self.directory)

    def wait_for_load(self, process: subprocess.Popen, requests: int = 1) -> None:
        """Wait until the service has seen so many requests."""
        wait_until(lambda: self.requests() >= requests or process.poll() is not None)
        assert process.poll() is None, process.communicate(timeout=PATIENCE_S)[0]

    def interrupt_twice(self, process: subprocess.Popen) -> Session:
        """Press Ctrl-C, see that the session waits for what still runs, and press it again."""
        process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        process.send_signal(signal.SIGINT)
        return self.finish(process)

    def _environment(self) -> dict[str, str]:
        unwanted = ("PYTEST_", "NO_COLOR", "FORCE_COLOR", "PY_COLORS", "COV_", "LOCUST_", "PYTHONWARNINGS", "TAILGATE_")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
        python_path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        return inherited | {"TMPDIR": str(self.directory), "COLUMNS": "80", "PYTHONPATH": python_path}


def _kill_family(process: subprocess.Popen) -> None:
    """Kill a session; workers that do not end with it would go on to send requests."""
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    for child in psutil.wait_procs(children, timeout=10)[1]:
        child.kill()


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait for what another process does."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)
