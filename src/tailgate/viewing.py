"""``--perf-ui``: one port for the whole session, on which every load shows itself."""

from __future__ import annotations

import socket
from collections.abc import Generator
from dataclasses import replace

import pytest

from tailgate.options import OPTIONS

_HOST = "127.0.0.1"


def begin(config: pytest.Config) -> None:
    """Reserve the port, so that its URL can be told before the first load.

    The socket that holds it never listens; the system gives the port to nobody else, and a load can listen on it.

    Raises:
        pytest.UsageError: Somebody else listens there.
    """
    port = config.stash[OPTIONS].ui_port
    if port is None or hasattr(config, "workerinput"):
        return
    holder = socket.socket()
    config.add_cleanup(holder.close)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        holder.bind((_HOST, port))
    except OSError as error:
        raise pytest.UsageError(
            f"--perf-ui: port {port} of {_HOST} cannot be used ({error.strerror}); "
            "give another, or none and the system picks one"
        ) from error
    port = int(holder.getsockname()[1])
    config.stash[OPTIONS] = replace(config.stash[OPTIONS], ui_port=port)
    config.option.perf_ui = str(port)  # workers of xdist are given this


@pytest.hookimpl(wrapper=True)
def pytest_sessionstart(session: pytest.Session) -> Generator[None, None, None]:
    """Tell where to look, below the header of the session, which ``-q`` leaves out."""
    yield
    port = session.config.stash[OPTIONS].ui_port
    reporter = session.config.pluginmanager.getplugin("terminalreporter")
    if port is not None and reporter is not None and not hasattr(session.config, "workerinput"):
        reporter.write_line(f"web UI: http://{_HOST}:{port} while a load runs, to look at and nothing else")
