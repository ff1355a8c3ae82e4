"""An unprivileged account for servers that refuse to run as root, and files that this account can reach."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tailgate.errors import TailgateError

UNPRIVILEGED = "nobody"
"""The account that every Unix has for what may own nothing. None is ever created."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who a process runs as."""

    name: str
    uid: int
    gid: int


def unprivileged_account() -> Account | None:
    """Return the account for servers when this process is root, else None: they run as who we are.

    Raises:
        TailgateError: We are root and there is no such account.
    """
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(UNPRIVILEGED)
    except KeyError as err:
        raise TailgateError(
            f"PostgreSQL refuses to run as root and there is no account {UNPRIVILEGED!r} to run it as; "
            "run pytest as another user"
        ) from err
    return Account(UNPRIVILEGED, entry.pw_uid, entry.pw_gid)


def can_read(account: Account | None, *paths: Path) -> bool:
    """Tell whether ``account`` can read every path.

    Raises:
        TailgateError: This process may not become ``account``.
    """
    if account is None:
        return all(os.access(path, os.R_OK) for path in paths)
    # A process of that account asks, so that every rule of the system counts: modes, lists, mount options.
    script = 'for path; do [ -r "$path" ] || exit 1; done'
    command = ["/bin/sh", "-c", script, "sh", *map(str, paths)]
    try:
        return subprocess.call(command, user=account.uid, group=account.gid, extra_groups=(), cwd="/") == 0
    except OSError as err:  # root without the right to become somebody else: a user namespace, a stripped container
        raise TailgateError(f"cannot run a server as {account.name!r} ({err}); run pytest as another user") from err


def reachable(base: Path, parts: Sequence[str], *, account: Account | None, copy_to: Path) -> Path:
    """Return a folder with these ``parts`` of ``base`` that ``account`` can read: ``base`` itself, or a copy.

    A virtual environment below ``/root`` (mode 0700) is the usual reason for a copy. The original is never touched.

    Args:
        base: Folder that everything in ``parts`` is relative to.
        parts: Files and folders that are needed; their places among each other are kept.
        account: Who must read them; None is ourselves.
        copy_to: Where a copy goes; made when it is needed.
    """
    if can_read(account, *_samples(base, parts)):
        return base
    for part in parts:
        source, target = base / part, copy_to / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copy2(source, target)
    for path in (copy_to, *copy_to.rglob("*")):
        is_program = path.is_dir() or os.access(path, os.X_OK)
        path.chmod(0o755 if is_program else 0o644)
    return copy_to


def _samples(base: Path, parts: Sequence[str]) -> list[Path]:
    """Return each part, and one file of each part that is a folder: a mode can hide either."""
    folders = [base / part for part in parts if (base / part).is_dir()]
    files = [file for folder in folders if (file := next((path for path in folder.iterdir() if path.is_file()), None))]
    return [*(base / part for part in parts), *files]
