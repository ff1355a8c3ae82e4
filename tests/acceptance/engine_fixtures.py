"""A scripted server in a process of its own, and the shortest way to put load on it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import pytest

from tailgate import Stage
from tailgate.engine import make_plan, run_load
from tailgate.run import RunResult

PROGRAM = Path(__file__).with_name("scripted_server.py")


@dataclass(frozen=True)
class Server:
    """A running scripted server."""

    url: str
    ipv6_url: str | None

    def received(self) -> dict[str, int]:
        """Requests so far, by "METHOD path"."""
        return self._ask("received")

    @property
    def count(self) -> int:
        return sum(self.received().values())

    def _ask(self, what: str):
        with urlopen(f"{self.url}/{what}", timeout=10) as answer:
            return json.load(answer)


@pytest.fixture(scope="session")
def _running() -> Iterator[Server]:
    process = subprocess.Popen([sys.executable, PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        ports = json.loads(process.stdout.readline())
        ipv6_url = f"http://[::1]:{ports['::1']}" if "::1" in ports else None
        yield Server(f"http://127.0.0.1:{ports['127.0.0.1']}", ipv6_url)
        process.stdin.close()


@pytest.fixture
def server(_running: Server) -> Server:
    """Return the server, with nothing received yet."""
    with urlopen(f"{_running.url}/forget", timeout=10):
        return _running


class Watch:
    """A monitor that notes what it is told; ``cut_at_s`` ends the run then, ``last_stage`` after that stage."""

    def __init__(self, cut_at_s: float = float("inf"), last_stage: str = "") -> None:
        self.cut_at_s = cut_at_s
        self.last_stage = last_stage
        self.looks = []
        self.began = []
        self.ended = []

    def on_stage_begin(self, stage: str) -> None:
        self.began.append(stage)

    def on_progress(self, live) -> str:
        self.looks.append((live.stage, live.users, live.elapsed_s, live.left_s))
        return "seen enough" if live.elapsed_s >= self.cut_at_s else ""

    def on_stage_end(self, stage: str, so_far: RunResult) -> bool:
        self.ended.append((stage, so_far))
        return stage != self.last_stage


def hold(users: int, duration_s: float) -> tuple[Stage, ...]:
    return (Stage(name="hold", duration_s=duration_s, users=users),)


def run(users, host: str, shape=None, *, monitor: Watch | None = None, warmup_s: float = 0.0, **options) -> RunResult:
    """Run ``users`` against ``host``, by default two of them for half a second."""
    plan = make_plan(users, shape=shape or hold(2, 0.5), host=host, **{"stop_timeout_s": 1.0, **options})
    return run_load(plan, test="a test", scenario="a scenario", warmup_s=warmup_s, monitor=monitor or Watch())
