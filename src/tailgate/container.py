"""What the container, or the control group, allows this process: less than the machine has."""

from __future__ import annotations

import os
from collections.abc import Iterator
from math import floor
from pathlib import Path, PurePosixPath

_UNLIMITED_BYTES = 2**60
"""The older control groups write a number about 2**63 where nothing is limited."""


def cpu_limit(root: Path = Path("/")) -> float | None:
    """Return how many cores' worth of time this process may use; None where nothing limits it."""
    limits = []
    for group in _groups(root, "cpu"):
        quota, _, period = _read(group / "cpu.max").partition(" ")
        quota = quota or _read(group / "cpu.cfs_quota_us")
        period = period or _read(group / "cpu.cfs_period_us")
        if quota.isdecimal() and period.isdecimal() and int(period):
            limits.append(int(quota) / int(period))
    return min(limits, default=None)


def count_cores(root: Path = Path("/")) -> int:
    """Return how many processes can run at once here; at least one."""
    cores, limit = len(os.sched_getaffinity(0)), cpu_limit(root)
    return max(1, cores if limit is None else min(cores, floor(limit)))


def memory_limit_bytes(root: Path = Path("/")) -> int | None:
    """Return how much memory this process may use; None where nothing limits it."""
    limits = []
    for group in _groups(root, "memory"):
        text = _read(group / "memory.max") or _read(group / "memory.limit_in_bytes")
        if text.isdecimal() and int(text) < _UNLIMITED_BYTES:
            limits.append(int(text))
    return min(limits, default=None)


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Yield the directories of this process's control group and of those around it, of both versions.

    In a container the path of the group is often that of the host, while the container sees its own group at the top:
    directories that do not exist read as empty.
    """
    mount = root / "sys/fs/cgroup"
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers and controller not in controllers.split(","):
            continue
        top = mount / controllers if controllers else mount
        own = PurePosixPath(path.lstrip("/"))
        if ".." not in own.parts:
            yield from (top / part for part in (own, *own.parents))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
