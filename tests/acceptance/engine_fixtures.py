"""A scripted server in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.children import next_line

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


@contextmanager
def _scripted_server() -> Iterator[Server]:
    process = subprocess.Popen([sys.executable, PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        ports = json.loads(next_line(process))
        ipv6_url = f"http://[::1]:{ports['::1']}" if "::1" in ports else None
        yield Server(f"http://127.0.0.1:{ports['127.0.0.1']}", ipv6_url)
        process.stdin.close()


def _forgetful(server: Server) -> Server:
    with urlopen(f"{server.url}/forget", timeout=10):
        return server


@pytest.fixture(scope="session")
def _running() -> Iterator[Server]:
    with _scripted_server() as server:
        yield server


@pytest.fixture(scope="session")
def _running_beside() -> Iterator[Server]:
    with _scripted_server() as server:
        yield server


@pytest.fixture
def server(_running: Server) -> Server:
    """Return the server, with nothing received yet."""
    return _forgetful(_running)


@pytest.fixture
def other_server(_running_beside: Server) -> Server:
    """Return a second server, with nothing received yet."""
    return _forgetful(_running_beside)
