"""What the users count, such as purchases: gathered from all workers, shown in the web UI, printed at the end."""

from __future__ import annotations

import logging
from typing import Any

from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from perf_tests.client import CheckingUser
from tailgate import Counters
from tailgate.engine.ui import show_counters

KEY = "counters"
"""Of the counts in a worker's report."""
_CONSOLE = logging.getLogger("locust.stats_logger")
"""What Locust prints its own statistics with."""


def install(environment: Environment) -> None:
    """Keep the counts of a Locust process, whichever part it plays."""
    events = environment.events
    events.test_start.add_listener(lambda **_: _reset())
    if isinstance(environment.runner, WorkerRunner):
        events.report_to_master.add_listener(_report)
        # Locust sends the last report of a run when a worker quits, but not when it is only told to stop.
        events.test_stop.add_listener(lambda **_: environment.runner._send_stats())  # noqa: SLF001 - has no other door
        return
    if isinstance(environment.runner, MasterRunner):
        events.worker_report.add_listener(_add_report)
    events.reset_stats.add_listener(lambda **_: _reset())
    if environment.web_ui is not None:
        show_counters(environment.web_ui, _counts)
        events.test_stop.add_listener(lambda **_: _print())
    # By now Locust has printed its own statistics, and workers that it told to quit have sent their last report.
    events.quit.add_listener(lambda **_: _print())


def _counts() -> dict[str, int]:
    return CheckingUser.counters.as_dict()


def _reset() -> None:
    CheckingUser.counters = Counters()


def _report(data: dict[str, Any], **_: object) -> None:
    """Give away the counts since the last report."""
    data[KEY] = _counts()
    _reset()


def _add_report(data: dict[str, Any], **_: object) -> None:
    for name, count in data.get(KEY, {}).items():
        CheckingUser.counters.add(name, count)


def _print() -> None:
    _CONSOLE.info("Counters")
    for name, count in sorted(_counts().items()):
        _CONSOLE.info("%-24s %10d", name, count)
    _CONSOLE.info("")
