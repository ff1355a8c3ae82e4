"""A plugin for sessions that tests start: writes what their runs recorded to the file named by ``SAMPLE_DUMP``."""

import json
import os
from pathlib import Path

import pytest


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
