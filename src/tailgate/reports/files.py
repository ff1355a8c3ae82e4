"""Files that reports end up in: checked before any load that they can be written, written in one piece at the end."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from tailgate.errors import BadInput, TailgateError


def check_writable(path: str | os.PathLike[str], what: str) -> None:
    """Refuse a path that a report could not be written to; missing directories are made, no file is left.

    Args:
        path: Where the report is to go.
        what: Name of the report, such as ``JSON report``, for the messages.

    Raises:
        BadInput: The path is a directory, or the system does not let us write there.
    """
    target = Path(path)
    try:
        if target.is_dir():
            raise BadInput([f"{target}: is a directory, wanted the path of a file for the {what}"])
        _make_directory(target.parent)
        if not _is_replaceable(target):
            _check_access(target)
            return
        probe = _temporary(target)
        try:
            probe.open("xb").close()
        finally:
            probe.unlink(missing_ok=True)
    except OSError as err:
        raise BadInput([f"{target}: the {what} cannot be written there: {_reason(err)}"]) from err


def check_distinct(paths: Mapping[str, Path | None]) -> None:
    """Refuse files that are one and the same, of which the last that is written would be left.

    Args:
        paths: By what is said of each, such as ``--perf-json``. Devices and pipes (``/dev/stdout``) take everything.

    Raises:
        BadInput: Two of them are the same file.
    """
    names: dict[Path, str] = {}
    for name, path in paths.items():
        file = _file_of(path) if path is not None else None
        other = names.setdefault(file, name) if file is not None else name
        if other != name:
            raise BadInput([f"{name}: {path} is the file of {other} as well; give each a path of its own"])


def write_text(path: str | os.PathLike[str], text: str, what: str) -> None:
    """Write a report as UTF-8, so that a reader sees the old file or the whole new one.

    A link, a device or a pipe (``/dev/stdout``) is written to as it is, since it must not be replaced by a file.

    Raises:
        TailgateError: The system refused, for instance because the disk is full.
    """
    target = Path(path)
    try:
        _make_directory(target.parent)
        if _is_replaceable(target):
            _replace(target, text.encode("utf-8"))
        else:
            target.write_bytes(text.encode("utf-8"))
    except OSError as err:
        raise TailgateError(f"{target}: the {what} could not be written: {_reason(err)}") from err


def append_text(path: str | os.PathLike[str], text: str, what: str) -> None:
    """Write a report as UTF-8 behind what others wrote to the file.

    Raises:
        TailgateError: The system refused.
    """
    target = Path(path)
    try:
        with target.open("ab") as file:
            file.write(text.encode("utf-8"))
    except OSError as err:
        raise TailgateError(f"{target}: the {what} could not be written: {_reason(err)}") from err


def _file_of(path: Path) -> Path | None:
    """Return the file behind a path; None for a device, and for what cannot be reached, which is told elsewhere."""
    try:
        return None if path.exists() and not path.is_file() else path.resolve()
    except (OSError, RuntimeError):  # A name that is too long, a directory that is closed, a link to itself.
        return None


def _make_directory(directory: Path) -> None:
    """Make a directory with those above it; what is in the way is named as what it is."""
    if directory.exists() and not directory.is_dir():
        raise NotADirectoryError(f"{directory} is not a directory")
    directory.mkdir(parents=True, exist_ok=True)


def _replace(target: Path, data: bytes) -> None:
    """Write a file beside ``target`` and move it into its place."""
    temporary = _temporary(target)
    try:
        temporary.write_bytes(data)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _is_replaceable(target: Path) -> bool:
    """Tell whether a new file may take the place of ``target``: absent or a regular file, in a writable directory."""
    if target.is_symlink() or (target.exists() and not target.is_file()):
        return False
    return not target.exists() or os.access(target.parent, os.W_OK | os.X_OK)


def _check_access(target: Path) -> None:
    """Raise what opening would raise, without opening: a named pipe would block until somebody reads it."""
    # A link may point to a file that is still to be made, then its directory counts.
    place = target if target.exists() else target.resolve().parent
    if not os.access(place, os.W_OK):
        raise PermissionError(f"{place} is not writable")


def _temporary(target: Path) -> Path:
    """Return a name beside ``target``, so that the move stays within one file system."""
    return target.with_name(f".tailgate-{os.getpid()}.tmp")


def _reason(err: OSError) -> str:
    """Return what the system said, without the path: the message names it already."""
    return err.strerror or str(err)
