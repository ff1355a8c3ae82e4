"""Let loads run one at a time on a machine: two at once would measure each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from tailgate.errors import BadInput

LOCK_PATH = Path("/tmp/tailgate-load.lock")  # noqa: S108 - on purpose a place that everybody shares
"""Seen by every process of the machine, whoever started it and whatever its TMPDIR is."""


@contextmanager
def machine_turn(on_wait: Callable[[], None], path: Path | None = None) -> Iterator[None]:
    """Wait until no other load runs on this machine, and keep others from starting.

    The system releases the lock when its process ends, however it ends.

    Args:
        on_wait: Called once if somebody else has the turn.
        path: The lock file, readable and writable for every user; None is ``LOCK_PATH``.

    Raises:
        BadInput: The lock file cannot be used.
    """
    path = path or LOCK_PATH
    lock = FileLock(path, mode=0o666)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        on_wait()
        lock.acquire()
    except OSError as error:
        raise BadInput(
            [f"load: the lock {path} cannot be used ({error.strerror}); remove it if nobody runs a load"]
        ) from error
    try:
        yield
    finally:
        lock.release()
