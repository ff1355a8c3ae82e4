"""A pytest plugin that notes when each part of a session begins and ends: ``-p benchmarks.stopwatch``.

The moments, seconds of the wall clock by name, are written as JSON to the file named by ``BENCHMARK_MOMENTS``.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

MOMENTS: dict[str, float] = {"plugins_began": time.time()}


def pytest_sessionstart() -> None:
    """Import what a load test will need, a moment earlier than it would, to tell it apart."""
    MOMENTS["session_began"] = time.time()
    import locust  # noqa: PLC0415 - timed

    import tailgate.engine  # noqa: F401, PLC0415

    MOMENTS["engine_imported"] = time.time()
    locust.events.request.add_listener(_on_request)


def pytest_collection_finish() -> None:
    """Note that the tests are known and nothing was started."""
    MOMENTS["collected"] = time.time()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, Any, Any]:
    """Note when the test itself begins, with its fixtures and so the stack ready, and when it ends."""
    MOMENTS["test_began"] = time.time()
    try:
        return (yield)
    finally:
        MOMENTS["test_ended"] = time.time()


def pytest_unconfigure() -> None:
    """Write the moments; what still follows is the end of the interpreter."""
    MOMENTS["unconfigured"] = time.time()
    Path(os.environ["BENCHMARK_MOMENTS"]).write_text(json.dumps(MOMENTS), encoding="utf-8")


def _on_request(start_time: float, response_time: float, **_: Any) -> None:
    MOMENTS.setdefault("first_request", start_time)
    MOMENTS["last_answer"] = start_time + response_time / 1000
