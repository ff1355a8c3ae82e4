"""The form of a journal on disk: frames that are only ever added, and what is left of them after a crash."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

MAGIC = b"tailgate journal 1\n"
"""First line of a file; the number goes up when the form changes."""
_SIZES = struct.Struct("<III")
"""Before each frame: bytes of JSON, bytes of data, CRC-32 of both together."""
_MOST_BYTES = 2**30


class Frame(NamedTuple):
    """One entry."""

    values: dict[str, Any]
    data: bytes


def render_frame(values: Mapping[str, Any], data: bytes = b"") -> bytes:
    """Return one entry as it is written."""
    text = json.dumps(values, separators=(",", ":")).encode()
    return b"".join([_SIZES.pack(len(text), len(data), zlib.crc32(data, zlib.crc32(text))), text, data])


class JournalReader:
    """Reads the frames of a file one by one, as far as they are whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.problem = ""
        """Where and why reading ended, if it was not at the end of a frame or in the last one, cut off by a crash."""

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames.

        Raises:
            OSError: The file cannot be read.
        """
        with self._path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                self.problem = "is not a journal of this version of tailgate"
                return
            yield from self._frames(file)

    def _frames(self, file: BinaryIO) -> Iterator[Frame]:
        while len(head := file.read(_SIZES.size)) == _SIZES.size:
            at = file.tell() - _SIZES.size
            text_bytes, data_bytes, checksum = _SIZES.unpack(head)
            body = file.read(text_bytes + data_bytes) if text_bytes + data_bytes <= _MOST_BYTES else b""
            is_whole = len(body) == text_bytes + data_bytes
            if is_whole and text_bytes and zlib.crc32(body) == checksum:
                yield Frame(json.loads(body[:text_bytes]), body[text_bytes:])
                continue
            if is_whole or text_bytes + data_bytes > _MOST_BYTES:
                self.problem = f"is damaged at byte {at:,}; what comes before was read"
            return
