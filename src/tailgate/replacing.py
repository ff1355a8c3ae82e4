"""Write a file so that nobody ever finds half of it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def replace_text(path: Path, text: str) -> None:
    """Write a file so that, whatever happens, there is the old one or the whole new one, on the disk as well.

    Whoever calls this holds a lock: two writers at once would share the temporary file.
    """
    # What a process left here that was killed is overwritten.
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            # Half a character of a request's name, which UTF-8 cannot hold, becomes what JSON writes for it.
            file.write(text.encode("utf-8", "backslashreplace"))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    # Not every file system can do this for a directory, and the new file is complete without it.
    with suppress(OSError):
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
