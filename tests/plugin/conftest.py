"""A service to load, and suites that load it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path

# pytester forgets what a session within this process imported, and extension modules cannot be imported twice.
import jsonschema  # noqa: F401
import numpy as np  # noqa: F401
import pytest

from tests.children import next_line
from tests.plugin.suites import Suite

SERVER = Path(__file__).parents[1] / "acceptance" / "scripted_server.py"
_NUMBERS = count()


@pytest.fixture(scope="session")
def host() -> Iterator[str]:
    """Base URL of a server that does what the path of each request says."""
    with subprocess.Popen(
        [sys.executable, str(SERVER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield f"http://127.0.0.1:{json.loads(next_line(process))['127.0.0.1']}"
        process.communicate()


@pytest.fixture(scope="session")
def new_suite(host: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Suite]:
    """Make an empty suite; for fixtures of a wider scope than one test."""
    return lambda: Suite(tmp_path_factory.mktemp(f"suite{next(_NUMBERS)}-", numbered=True), host)


@pytest.fixture
def suite(new_suite: Callable[[], Suite]) -> Suite:
    return new_suite()


@pytest.fixture
def run_here(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Callable[..., pytest.RunResult]:
    """Run pytest in this process, with no plugins but ours and Locust's: for whatever starts no load."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    return partial(pytester.runpytest_inprocess, "-ptailgate.plugin", "-ppytest_locust.plugin")
