"""A plugin for sessions that tests start: turns of their own, so that they wait for no other load of the machine."""

import os
from pathlib import Path


def pytest_runtest_setup(item):
    if "load" in getattr(item, "fixturenames", ()):
        from tailgate import turns

        turns.LOCK_PATH = Path(os.environ.get("TURN_DIR") or os.environ["TMPDIR"]) / "tailgate-load.lock"
