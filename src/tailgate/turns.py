"""Let loads run one at a time on a machine: two at once would measure each other."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

LOCK_PATH = Path(tempfile.gettempdir()) / "tailgate-load.lock"
"""Seen by every process of the machine, whoever started it."""


@contextmanager
def machine_turn(on_wait: Callable[[], None], path: Path = LOCK_PATH) -> Iterator[None]:
    """Wait until no other load runs on this machine, and keep others from starting.

    The system releases the lock when its process ends, however it ends.

    Args:
        on_wait: Called once if somebody else has the turn.
        path: The lock file; readable and writable for every user.
    """
    lock = FileLock(path, mode=0o666)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        on_wait()
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
