"""Processes that tests start: none is waited for without end, and none is left."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer
from typing import AnyStr

PATIENCE_S = 60


@contextmanager
def mortal(process: subprocess.Popen[AnyStr], within_s: float = PATIENCE_S) -> Iterator[subprocess.Popen[AnyStr]]:
    """Have a process end with the block, and be killed before if it takes too long: its output ends then."""
    with process:
        try:
            with _killed_after(process, within_s):
                yield process
        finally:
            process.kill()


def next_line(process: subprocess.Popen[AnyStr], within_s: float = PATIENCE_S) -> AnyStr:
    """Return the next line that a process writes; one that is silent for too long is killed, and the line empty."""
    assert process.stdout is not None
    with _killed_after(process, within_s):
        return process.stdout.readline()


@contextmanager
def _killed_after(process: subprocess.Popen[AnyStr], within_s: float) -> Iterator[None]:
    timer = Timer(within_s, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
