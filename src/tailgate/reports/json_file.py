"""The JSON report: check before any load that it can be written, write it in one piece at the end."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from tailgate.reports import files

_WHAT = "JSON report"


def check_writable(path: str | os.PathLike[str]) -> None:
    """Refuse a path that the report could not be written to; missing directories are made, no file is left.

    Raises:
        BadInput: The path is a directory, or the system does not let us write there.
    """
    files.check_writable(path, _WHAT)


def write_report(path: str | os.PathLike[str], document: Mapping[str, Any]) -> None:
    """Write the report; a reader sees the old file or the whole new one.

    Raises:
        TailgateError: The system refused, for instance because the disk is full.
    """
    files.write_text(path, json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n", _WHAT)
