"""What the users count, such as purchases: gathered from all workers, shown in the web UI, printed at the end."""

from __future__ import annotations

import logging
from typing import Any

from flask import Response, jsonify, request
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner
from locust.web import WebUI

from perf_tests.client import CheckingUser
from tailgate import Counters

KEY = "counters"
"""Of the counts in a worker's report, and of their table in the web UI."""
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
        _show(environment.web_ui)
        events.test_stop.add_listener(lambda **_: _print())
    # By now Locust has printed its own statistics, and workers that it told to quit have sent their last report.
    events.quit.add_listener(lambda **_: _print())


def _reset() -> None:
    CheckingUser.counters = Counters()


def _report(data: dict[str, Any], **_: object) -> None:
    """Give away the counts since the last report."""
    data[KEY] = CheckingUser.counters.as_dict()
    _reset()


def _add_report(data: dict[str, Any], **_: object) -> None:
    for name, count in data.get(KEY, {}).items():
        CheckingUser.counters.add(name, count)


def _rows() -> list[dict[str, Any]]:
    return [{"name": name, "count": count} for name, count in sorted(CheckingUser.counters.as_dict().items())]


def _print() -> None:
    _CONSOLE.info("Counters")
    for row in _rows():
        _CONSOLE.info("%-24s %10d", row["name"], row["count"])
    _CONSOLE.info("")


def _show(web_ui: WebUI) -> None:
    """Add a tab with the counts to the web UI, which asks for them with Locust's own statistics."""
    web_ui.template_args["extended_tabs"] = [{"title": "Counters", "key": KEY}]
    web_ui.template_args["extended_tables"] = [
        {"key": KEY, "structure": [{"key": "name", "title": "Counter"}, {"key": "count", "title": "Count"}]}
    ]
    assert web_ui.app is not None

    @web_ui.app.after_request
    def extend(response: Response) -> Response:
        if request.endpoint == "locust.request_stats" and response.is_json:
            response.set_data(jsonify({**response.json, "extended_stats": [{"key": KEY, "data": _rows()}]}).data)
        return response
