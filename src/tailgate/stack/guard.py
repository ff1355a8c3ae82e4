"""The guard: a program that ends what a session started, whichever way that session ended.

A `Sandbox` starts it as ``python -I -S guard.py PARENT_PID`` with a pipe as its standard input and holds the other
end. Nothing that the session can suffer, ``kill -9`` included, keeps the kernel from closing that end: then the guard
kills the process groups and removes the directories that it was told about. It runs alone, so it imports only the
standard library and nothing of ours. One order a line:

    directory PATH        remove it at the end
    group ID SIGNAL       at the end send SIGNAL to the process group, and SIGKILL when it is too slow
    forget ID             that group is gone already
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

GRACE_S = 3.0
"""How long a process group may take to end in good order."""
POLL_S = 0.5
"""How often the guard looks whether its parent lives: a fork of the parent may hold the pipe open longer than it."""


def main() -> int:
    """Read orders until the parent is gone, then clean up; return 1 when something could not be removed."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: dict[int, int] = {}
    directories: list[str] = []
    for order in read_orders(sys.stdin.fileno(), parent_pid=int(sys.argv[1])):
        match order.split(" ", maxsplit=1):
            case "directory", path:
                directories.append(path)
            case "group", rest:
                group, stop_signal = map(int, rest.split())
                groups[group] = stop_signal
            case "forget", group_text:
                groups.pop(int(group_text), None)
    end_groups(groups)
    left = [directory for directory in directories if not remove(directory)]
    return 1 if left else 0


def read_orders(pipe: int, *, parent_pid: int) -> Iterator[str]:
    """Yield each line of ``pipe`` until nobody can write to it, or the parent is gone and the pipe is quiet."""
    pending = b""
    while True:
        is_orphan = os.getppid() != parent_pid
        if not select.select([pipe], [], [], POLL_S)[0]:
            if is_orphan:
                return
            continue
        chunk = os.read(pipe, 65536)
        if not chunk:
            return
        *lines, pending = (pending + chunk).split(b"\n")
        yield from (os.fsdecode(line) for line in lines)


def end_groups(groups: dict[int, int]) -> None:
    """Send each group its own signal, and SIGKILL to those that are still there after the grace."""
    alive = {group for group, number in groups.items() if send(group, number)}
    deadline = time.monotonic() + GRACE_S
    while alive and time.monotonic() < deadline:
        time.sleep(0.02)
        alive = {group for group in alive if send(group, 0) and not is_dead(group)}
    for group in alive:
        send(group, signal.SIGKILL)


def send(group: int, number: int) -> bool:
    """Signal a process group; return False when it is gone, or became somebody else's."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def is_dead(group: int) -> bool:
    """Tell whether only zombies are left in a group: in a container there may be nobody who reaps them soon."""
    states = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_bytes().rpartition(b")")[2].split()
        except OSError:
            continue  # ended meanwhile
        if int(fields[2]) == group:
            states.add(fields[0])
    return states == {b"Z"}


def remove(directory: str) -> bool:
    """Remove a directory, again when a dying process still wrote into it; return whether it is gone."""
    for _ in range(20):
        shutil.rmtree(directory, ignore_errors=True)
        if not os.path.lexists(directory):
            return True
        time.sleep(0.05)
    return False


if __name__ == "__main__":
    sys.exit(main())
