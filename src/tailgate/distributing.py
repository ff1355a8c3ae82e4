"""The processes in which users live, if not in pytest's: workers that it starts, or that it waits for."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tailgate.options import OPTIONS
from tailgate.worker_options import WorkerOptions

if TYPE_CHECKING:
    import pytest

    from tailgate.engine import Workers
    from tailgate.stack.process import Process
    from tailgate.stack.sandbox import Sandbox

LOOPBACK = "127.0.0.1"
START_PATIENCE_S = 60.0
"""How long processes of our own may take to import Locust and to connect."""
_LOG_LINES = 10

Say = Callable[[str], None]


@contextmanager
def open_workers(config: pytest.Config, say: Say) -> Iterator[Workers | None]:
    """Provide the workers of one run, as the options ask for them; None where users live in this process."""
    options = config.stash[OPTIONS].workers
    if options is None:
        yield None
        return
    if options.is_expecting:
        yield ExpectedWorkers(options, say)
        return
    from tailgate.stack.sandbox import Sandbox  # noqa: PLC0415 - only if asked for

    with Sandbox() as sandbox:
        yield LocalWorkers(sandbox, options.count, config.rootpath, say)


@dataclass(frozen=True, slots=True)
class ExpectedWorkers:
    """Workers that somebody else starts; see ``tailgate.engine.Workers``."""

    options: WorkerOptions
    say: Say

    @property
    def bind(self) -> tuple[str, int]:
        """Where the master listens."""
        return self.options.host, self.options.port

    @property
    def count(self) -> int:
        """How many there are to be."""
        return self.options.count

    @property
    def patience_s(self) -> float:
        """How long they may take to come."""
        return self.options.timeout_s

    def start(self, port: int) -> None:
        """Wait for them only."""

    def ended(self) -> Mapping[str, str]:
        """Return nothing: what is not ours cannot be watched."""
        return {}

    def log_of(self, name: str) -> str:
        """Return nothing, for the same reason."""
        del name
        return ""

    def kill(self, name: str) -> None:
        """Leave it alone: it sees that the master is gone."""


class LocalWorkers:
    """Workers that are started for one run, on this machine, and are gone after it; see ``tailgate.engine.Workers``."""

    bind = (LOOPBACK, 0)
    patience_s = START_PATIENCE_S

    def __init__(self, sandbox: Sandbox, count: int, root: Path, say: Say) -> None:
        self.count = count
        self.say = say
        self._sandbox = sandbox
        self._root = root
        self._processes: dict[str, Process] = {}

    def start(self, port: int) -> None:
        """Start them: with our path and directory, so that they import what we imported."""
        from tailgate.stack.process import Process  # noqa: PLC0415 - only if asked for

        path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path)  # noqa: PTH100 - "" is the directory
        for number in range(1, self.count + 1):
            argv = [sys.executable, "-m", "tailgate", "worker", "--once", "--master", f"{LOOPBACK}:{port}"]
            argv += ["--name", str(number), "--path", str(self._root)]
            process = Process(self._sandbox, f"worker-{number}", argv, env={"PYTHONPATH": path}, cwd=Path.cwd())
            self._processes[str(number)] = process.start()

    def ended(self) -> Mapping[str, str]:
        """Return how those ended that have: ``was killed by SIGKILL``."""
        return {
            name: how.removeprefix(f"{process.name} ")
            for name, process in self._processes.items()
            if (how := process.unexpected_end)
        }

    def log_of(self, name: str) -> str:
        """Return what a worker wrote last."""
        return self._processes[name].log_tail(_LOG_LINES)

    def kill(self, name: str) -> None:
        """End one at once."""
        self._processes[name].kill()
