"""What to do with a test that this machine cannot run: skip it, unless every test has to run here."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest

VARIABLE = "TAILGATE_TESTS_MUST_RUN"


def skip_or_fail(reason: str) -> NoReturn:
    """Skip the test, or fail it where the variable is set: a CI that skips what it is there for proves nothing."""
    if os.environ.get(VARIABLE):
        pytest.fail(f"{reason} (a skip elsewhere; here {VARIABLE} is set)", pytrace=False)
    pytest.skip(reason)
