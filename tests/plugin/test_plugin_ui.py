"""``--perf-ui``: Locust's web UI on a load of the gate, which it shows and does not let anybody touch."""

from __future__ import annotations

import re
import socket
from contextlib import closing
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import pytest

from tests.plugin.suites import wait_until
from tests.web_ui import WebUi, free_port

TEST = """
    @pytest.mark.perf
    def test_long(load):
        load([Reader], shape=[Stage(name="hold", duration_s=4, users=2)])
"""
OPEN = """
    from tailgate import Arrivals

    @pytest.mark.perf
    def test_long(load):
        load([Reader], shape=Arrivals(rate_rps=50, duration_s=3))
"""
LIMITS = "long: {total: {failure_ratio: 0}}"
CHANGES = ("POST swarm", "POST stop", "GET stop", "POST stats/reset", "POST user", "GET stats/report", "GET nowhere")


def status_of(url, change):
    method, path = change.split()
    data = b"user_count=9&spawn_rate=9" if method == "POST" else None
    order = Request(f"{url}/{path}", data=data, method=method)
    try:
        with build_opener(ProxyHandler({})).open(order, timeout=10) as answer:
            return answer.status
    except HTTPError as error:
        with error:
            return error.code


def total(ui):
    try:
        return ui.requests().get("Aggregated", 0)
    except OSError:
        return 0


def test_a_load_can_be_looked_at_and_not_touched(suite):
    url = f"http://127.0.0.1:{free_port()}"
    ui = WebUi(url)
    suite.write(TEST, LIMITS)
    port = url.rpartition(":")[2]
    with suite.start("-m", "perf", "-q", "-W", "error", f"--perf-ui={port}", "--perf-json=report.json") as process:
        wait_until(lambda: total(ui) > 0 or process.poll() is not None)
        reads = ui.counters()["reads"]
        wait_until(lambda: ui.counters()["reads"] > reads)
        assert "window.templateArgs" in ui.get("")
        assert {status_of(url, change) for change in CHANGES} == {403}
        report = ui.get("stats/requests")
        assert (report["state"], report["user_count"]) == ("running", 2)
        assert [status_of(url, f"GET {page}") for page in ("tasks", "exceptions", "logs", "stats/requests/csv")] == [
            200
        ] * 4
        session = suite.finish(process)
    assert session.status == 0, session.output
    assert f"web UI: {url} while a load runs" in session.output
    assert session.verdicts() == {"test_long": ["pass"]}
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(port)))


def test_users_that_wait_for_arrivals_are_counted_too(suite):
    port = free_port()
    ui = WebUi(f"http://127.0.0.1:{port}")
    suite.write(OPEN, LIMITS)
    with suite.start("-m", "perf", f"--perf-ui={port}") as process:
        wait_until(lambda: total(ui) > 0 or process.poll() is not None)
        assert ui.get("stats/requests")["user_count"] > 0
        assert suite.finish(process).status == 0


def test_the_system_picks_a_port_unless_one_is_given(suite):
    session = suite.write(TEST, LIMITS).run("-m", "perf", "--perf-ui", "--perf-time-scale=0.1")
    assert session.status == 0, session.output
    (port,) = re.findall(r"web UI: http://127\.0\.0\.1:(\d+) while", session.output)
    assert int(port) > 0


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (["--perf-ui=web"], "--perf-ui: 'web', wanted a port; give paths before it, or write --perf-ui=PORT"),
        (["--perf-ui=65536"], "--perf-ui: '65536', wanted a port; "),
        (["--perf-ui", "tests"], "--perf-ui: 'tests', wanted a port; "),
        (
            ["--perf-ui", "--perf-duet=HEAD"],
            "--perf-duet: cannot be given with --perf-ui, which shows one run, and a duet is two",
        ),
    ],
)
def test_wrong_ports_are_refused_before_anything_starts(run_here, given, problem):
    result = run_here(*given)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert problem in result.stderr.str()


def test_a_port_that_somebody_listens_on_is_refused(run_here):
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
        result = run_here(f"--perf-ui={port}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    problem = f"--perf-ui: port {port} of 127.0.0.1 cannot be used (Address already in use); give another, or none"
    assert problem in result.stderr.str()


def test_without_the_option_nothing_is_said(run_here):
    result = run_here("--perf-json=x.json")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    assert "web UI" not in result.stdout.str()
