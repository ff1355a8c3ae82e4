"""Locust's web UI on a run of the gate: to look at, not to touch."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from typing import Any

from flask import Response, jsonify, request
from gevent.pool import Pool
from gevent.pywsgi import WSGIServer
from locust.env import Environment
from locust.web import WebUI

from tailgate.errors import BadInput

HOST = "127.0.0.1"
_LOG = logging.getLogger(__name__)
COUNTERS = "counters"
"""Key of their table in the web UI."""
_MOST_REQUESTS = 20
"""At once; a browser has six connections."""
_REFUSAL = "This run belongs to a test: its web UI can be looked at and nothing else."
_ALLOWED = frozenset(
    {
        "index",
        "send_assets",
        "request_stats",
        "exceptions",
        "tasks",
        "logs",
        "request_stats_csv",
        "failures_stats_csv",
        "exceptions_csv",
        "get_worker_count",
    }
)
"""What Locust calls its pages that change nothing; whatever a later version adds is refused until it is named here.

Its HTML report is not among them: to make one would hold up every user for a fifth of a second.
"""


class RunUi:
    """The web UI of one run, served from the run's own event loop for as long as it goes on."""

    def __init__(
        self,
        environment: Environment,
        port: int,
        *,
        users: Callable[[], int],
        counters: Callable[[], Mapping[str, int]],
    ) -> None:
        """Set it up; ``users`` and ``counters`` are what the run says of itself."""
        self.web_ui = _WebUi(environment, HOST, port, delayed_start=True)
        app = self.web_ui.app
        assert app is not None
        app.before_request(_refuse_changes)
        # Locust counts users that it started itself, and would find none here.
        extend_statistics(self.web_ui, lambda: {"user_count": users()})
        show_counters(self.web_ui, counters)
        # In a pool, so that nothing of it outlives the run.
        self._server = WSGIServer((HOST, port), app, spawn=Pool(_MOST_REQUESTS), log=None, error_log=_LOG)

    def open(self) -> None:
        """Serve it.

        Raises:
            BadInput: Somebody else listens on the port.
        """
        try:
            self._server.start()
        except OSError as error:
            problem = f"--perf-ui: port {self.web_ui.port} of {HOST} cannot be used ({error.strerror}); give another"
            raise BadInput([problem]) from error

    def close(self) -> None:
        """End it at once, whoever is looking."""
        self._server.stop(timeout=0)


class _WebUi(WebUI):
    def update_template_args(self) -> None:
        # Locust looks for its own options on the command line, which here is that of pytest.
        arguments, sys.argv = sys.argv, sys.argv[:1]
        try:
            super().update_template_args()
        finally:
            sys.argv = arguments


def show_counters(web_ui: WebUI, read: Callable[[], Mapping[str, int]]) -> None:
    """Add a tab with what users count to the web UI."""
    web_ui.template_args["extended_tabs"] = [{"title": "Counters", "key": COUNTERS}]
    columns = [{"key": "name", "title": "Counter"}, {"key": "count", "title": "Count"}]
    web_ui.template_args["extended_tables"] = [{"key": COUNTERS, "structure": columns}]

    def table() -> dict[str, Any]:
        rows = [{"name": name, "count": count} for name, count in sorted(read().items())]
        return {"extended_stats": [{"key": COUNTERS, "data": rows}]}

    extend_statistics(web_ui, table)


def extend_statistics(web_ui: WebUI, more: Callable[[], Mapping[str, Any]]) -> None:
    """Add what ``more`` returns to the statistics that the web UI asks for every two seconds."""
    assert web_ui.app is not None

    @web_ui.app.after_request
    def extend(response: Response) -> Response:
        if request.endpoint == "locust.request_stats" and response.is_json:
            report: dict[str, Any] = response.get_json()
            response.set_data(jsonify({**report, **more()}).data)
        return response


def _refuse_changes() -> tuple[str, int] | None:
    page = (request.endpoint or "").removeprefix("locust.")
    return None if request.method in {"GET", "HEAD"} and page in _ALLOWED else (_REFUSAL, 403)
