"""The simulator as its users start it: ``run_tests.sh`` in processes of its own, asked through its web interface."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "simulations" / "run_tests.sh"
PATIENCE_S = 60


def environment(**variables: object) -> dict[str, str]:
    """Return the variables of this process without those that the simulator reads, and with ``variables``."""
    ours = ("LOCUST_", "SIMULATOR_", "PRODUCT_SERVICE_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    kept["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), kept["PATH"]])
    return kept | {name: str(value) for name, value in variables.items()}


def run_to_end(*arguments: str, cwd: Path, **variables: object) -> subprocess.CompletedProcess[str]:
    """Run the script to its end; its standard error goes to the standard output."""
    return subprocess.run(
        [SCRIPT, *arguments],
        cwd=cwd,
        env=environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


class Running:
    """A simulator that runs."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log

    @property
    def output(self) -> str:
        """What it has written so far."""
        return self._log.read_text()

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Signal it, wait for its end and return its exit code."""
        self._process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Wait for its end and return its exit code."""
        return self._process.wait(PATIENCE_S)


@contextmanager
def running(log: Path, *arguments: str, **variables: object) -> Iterator[Running]:
    """Start the script; it is gone afterwards."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [SCRIPT, *arguments],
            cwd=log.parent,
            env=environment(**variables),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Running(process, log)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        process.wait()


def wait_until(condition: Callable[[], object]) -> None:
    """Call ``condition`` until it returns something true; until then its connections may be refused."""
    deadline_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline_s:
        with suppress(OSError):
            if condition():
                return
        time.sleep(0.1)
    raise AssertionError(f"not within {PATIENCE_S} s")


def printed_counters(output: str) -> dict[str, int]:
    """Return the last table of counters that was printed."""
    table = output.rpartition("Counters\n")[2].partition("\n\n")[0]
    return {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", table, flags=re.MULTILINE)}


def check_books(requests: dict[str, int], counters: dict[str, int]) -> None:
    """Assert that every purchase that was sent was counted as what it became."""
    assert requests["Buy_Product"] > 0
    assert counters["successful_purchases"] + counters.get("out_of_stock", 0) == requests["Buy_Product"] + requests.get(
        "Buy_Sold_Out", 0
    )
    assert counters["successful_purchases"] <= counters["units_sold"] <= 5 * counters["successful_purchases"]
    assert counters.get("stock_updates", 0) == requests.get("Update_Stock", 0)
    assert not counters.keys() & {"failed_purchases", "retries"}
