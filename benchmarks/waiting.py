"""A pytest plugin for sessions that a benchmark starts while it has the machine's turn: they do not wait for it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Give the session's loads a turn of their own."""
    if "load" in getattr(item, "fixturenames", ()):
        from tailgate import turns  # noqa: PLC0415 - a session without loads must not import more for us

        turns.LOCK_PATH = Path(os.environ["TMPDIR"]) / "tailgate-load.lock"
