"""The JSON report on disk."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from tailgate.reports.files import write_text


def write_report(path: str | os.PathLike[str], document: Mapping[str, Any]) -> None:
    """Write the report; a reader sees the old file or the whole new one.

    Raises:
        TailgateError: The system refused, for instance because the disk is full.
    """
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n", "JSON report")
