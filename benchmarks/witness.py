"""A pytest plugin that keeps the rounds of a session's duets, for a benchmark that judges them in other ways too."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import pytest

VARIABLE = "TAILGATE_WITNESS"
"""Names the file that the duets are appended to, as pickled pairs of the rounds and what they were judged to be."""


def pytest_configure() -> None:
    """Look on whenever a duet is judged."""
    from tailgate.dueting import DuetSlot  # noqa: PLC0415 - after the plugin has prepared for Locust

    judge = DuetSlot.judge

    def judge_and_keep(slot: DuetSlot, item: pytest.Item) -> None:
        judge(slot, item)
        kept: Any = (tuple(slot.duet.rounds), slot.judged)
        with Path(os.environ[VARIABLE]).open("ab") as file:
            pickle.dump(kept, file)

    DuetSlot.judge = judge_and_keep  # type: ignore[method-assign]
