"""The guard: a program that ends what a session started, whichever way that session ended.

A `Sandbox` starts it as ``python -I -S guard.py PARENT_PID`` with a pipe as its standard input and holds the other
end. Nothing that the session can suffer, ``kill -9`` included, keeps the kernel from closing that end: then the guard
kills the process groups and removes the directories that it was told about. It runs alone, so it imports only the
standard library and nothing of ours. One order a line:

    directory PATH        remove it at the end
    group ID SIGNAL       at the end send SIGNAL to the process group, and SIGKILL when it is too slow
    forget ID             that group is gone already
    project NAME          at the end remove the containers, networks and volumes of the compose project
"""

from __future__ import annotations

import itertools
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

GRACE_S = 3.0
"""How long a process group may take to end in good order."""
PROJECT_S = 30.0
"""How long the containers of a project may take to be removed."""
DOCKER_S = 20.0
"""How long one command of docker may take."""
LOOKS, PAUSE_S = 2, 0.1
"""How often nothing of a project may be found until it counts as gone, and the pause between."""
KINDS = {"container": ("ls --all", "rm --force --volumes"), "network": ("ls", "rm"), "volume": ("ls", "rm --force")}
"""What a compose project consists of, in the order in which it can go, and how docker lists and removes it."""
POLL_S = 0.5
"""How often the guard looks whether its parent lives: a fork of the parent may hold the pipe open longer than it."""


def main() -> int:
    """Read orders until the parent is gone, then clean up; return 1 when something could not be removed."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: dict[int, int] = {}
    directories: list[str] = []
    projects: list[str] = []
    for order in read_orders(sys.stdin.fileno(), parent_pid=int(sys.argv[1])):
        match order.split(" ", maxsplit=1):
            case "directory", path:
                directories.append(path)
            case "group", rest:
                group, stop_signal = map(int, rest.split())
                groups[group] = stop_signal
            case "forget", group_text:
                groups.pop(int(group_text), None)
            case "project", name:
                projects.append(name)
    end_groups(groups)
    left = [directory for directory in directories if not remove(directory)]
    left += [project for project in projects if not remove_project(project)]
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


def remove_project(name: str) -> bool:
    """Remove a compose project, until nothing of it turned up twice in a row; return whether it is gone.

    What compose made carries a label, so neither its file nor its variables are needed. A ``docker compose up`` that
    outlived the session would go on making containers, and the engine may finish what it was asked before.
    """
    looks = 0
    deadline = time.monotonic() + PROJECT_S
    while looks < LOOKS and time.monotonic() < deadline:
        is_quiet = not kill_programs(name)
        for kind, (list_all, remove_all) in KINDS.items():
            label = f"label=com.docker.compose.project={name}"
            found = docker(kind, *list_all.split(), "--quiet", "--filter", label)
            is_quiet &= found == []
            if found:
                docker(kind, *remove_all.split(), *found)
        looks = looks + 1 if is_quiet else 0
        time.sleep(PAUSE_S)
    return looks == LOOKS


def docker(*arguments: str) -> list[str] | None:
    """Return the words that docker answers; None if it fails."""
    command = ["docker", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=DOCKER_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if done.returncode else done.stdout.split()


def kill_programs(project: str) -> bool:
    """Kill each docker and docker-compose that works for a project; return whether there was one.

    Such are told by its name behind ``-p``: who only looks into a container may have that among the arguments, too.
    """
    named = [(option, os.fsencode(project)) for option in (b"-p", b"--project-name")]
    is_any = False
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            program, *arguments = path.read_bytes().split(b"\0")
            is_docker = program.rpartition(b"/")[2] in {b"docker", b"docker-compose"}
            if is_docker and any(pair in named for pair in itertools.pairwise(arguments)):
                os.kill(int(path.parent.name), signal.SIGKILL)
                is_any = True
        except OSError:
            continue  # ended meanwhile
    return is_any


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
