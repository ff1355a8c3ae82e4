"""The judged runs of a journal: which of them are the same, and what can be read of a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tailgate.journal_frames import JournalReader

UNKNOWN = (KeyError, TypeError, ValueError, AttributeError, IndexError)
"""What a frame raises that is whole, but that another version wrote."""


def identity(record: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return what two records of one run have in common: its test, its scenario and when it began."""
    return str(record["test"]), str(record["scenario"]), str(record["started_at"])


def read_records(path: Path) -> tuple[list[dict[str, Any]], str]:
    """Return the records of judged runs; of a run that was judged several times the last one counts.

    Returns:
        The records, and why the file could not be read, or not to its end; empty if it could.
    """
    reader, records = JournalReader(path), {}
    try:
        for frame in reader:
            records[identity(frame.values["record"])] = frame.values["record"]
    except OSError as error:
        return list(records.values()), f"{path}: {error.strerror or error}"
    except UNKNOWN as error:
        return list(records.values()), other_version(path, error)
    return list(records.values()), f"{path}: {reader.problem}" if reader.problem else ""


def other_version(path: Path, error: Exception) -> str:
    """Return what is said of a file that is whole and cannot be understood."""
    found = f"{type(error).__name__}: {error}"
    return f"{path}: was written by another version of tailgate, or on another kind of machine ({found})"
