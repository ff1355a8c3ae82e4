"""A plugin for sessions that tests start: writes what their runs recorded to the file named by ``SAMPLE_DUMP``.

Their loads wait for no other load of the machine: they are short, and what they are asked does not depend on its speed.
"""

import json
import os
from pathlib import Path

import pytest


def pytest_runtest_setup():
    from tailgate import turns

    turns.LOCK_PATH = Path(os.environ["SAMPLE_DUMP"]).with_suffix(".lock")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    from tailgate.judging import RUNS

    try:
        return (yield)
    finally:
        for slot in item.stash[RUNS].slots:
            samples = slot.run.samples
            rows = [
                (samples.keys[key], start_s, latency_ms)
                for key, start_s, latency_ms in zip(
                    samples.key_index.tolist(), samples.start_s.tolist(), samples.latency_ms.tolist(), strict=True
                )
            ]
            Path(os.environ["SAMPLE_DUMP"]).write_text(json.dumps(rows))
