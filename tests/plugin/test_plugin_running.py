"""What happens while a load runs: progress, signals, and runs that are cut or stretched."""

import fcntl
import os
import pty
import re
import signal
import struct
import termios
import threading

import psutil
import pytest
from filelock import FileLock

from tests.children import next_line

LONG = """
    @pytest.mark.perf
    def test_short(load):
        load([Reader], shape=SHAPE)

    @pytest.mark.perf
    def test_long(load):
        load([Reader], shape=[Stage(name="hold", duration_s=60, users=2)])

    @pytest.mark.perf("short")
    def test_never_begun(load):
        load([Reader], shape=SHAPE)
"""
LONG_LIMITS = """
    short: {total: {failure_ratio: 0}}
    long: {total: {failure_ratio: 0}}
"""
TWO = """
    SHAPE = [Stage(name="only", duration_s=0.6, users=2)]

    @pytest.mark.perf("any")
    def test_one(load):
        load([Reader], shape=SHAPE)

    @pytest.mark.perf("any")
    def test_two(load):
        load([Reader], shape=SHAPE)
"""
OFTEN = """
    import tailgate.announcing
    tailgate.announcing.LINE_EVERY_S = 0.05
"""
REPORTS = ("--perf-json=report.json", "--junitxml=junit.xml")


@pytest.fixture(scope="module")
def two(new_suite):
    """Two passing tests, and a line of progress twenty times a second."""
    return new_suite().write(TWO, "any: {total: {failure_ratio: 0}}").put("conftest.py", OFTEN)


def run_on_terminal(suite, *args, columns=80, **environment):
    """Run pytest with a terminal of its own and return the status and all that was written there."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    pieces = []

    def read():
        try:
            while piece := os.read(ours, 65536):
                pieces.append(piece)
        except OSError:
            pass  # What Linux says when the other side is closed.

    with suite.start(*args, stdout=theirs, **{"TERM": "xterm", "COLUMNS": str(columns)} | environment) as process:
        os.close(theirs)
        reader = threading.Thread(target=read)
        reader.start()
        status = process.wait(60)
        reader.join(10)
    os.close(ours)
    return status, b"".join(pieces).decode()


def screen(text):
    """Return the lines that a terminal shows in the end."""
    lines, column = [""], 0
    for piece in re.findall(r"\r|\n|\x1b\[[\d;]*[A-Za-z]|[^\r\n\x1b]+", text):
        if piece == "\r":
            column = 0
        elif piece == "\n":
            lines.append("")
            column = 0
        elif piece == "\x1b[K":
            lines[-1] = lines[-1][:column]
        elif not piece.startswith("\x1b"):
            lines[-1] = lines[-1][:column].ljust(column) + piece + lines[-1][column + len(piece) :]
            column += len(piece)
    return lines


PROGRESS = re.compile(r"any/only +2 users +[\d,.]+/s +p95 [\d.]+ ms +0 failed +1 s left")


@pytest.mark.parametrize("capture", ["fd", "sys", "no"])
def test_a_terminal_has_one_live_line_that_leaves_nothing(two, capture):
    status, written = run_on_terminal(two, f"--capture={capture}", PYTHONIOENCODING="utf-8")
    assert status == 0
    assert PROGRESS.search(written)
    assert "\x1b[32m" in written
    lines = screen(written)
    assert not any("left" in line for line in lines)
    assert re.search(r"(?m)^test_load\.py \.\.( +\[100%\])?$", "\n".join(lines)), written


def test_no_color_and_an_ascii_stream_are_respected(two):
    status, written = run_on_terminal(two, "-q", NO_COLOR="1", PYTHONIOENCODING="ascii")
    assert status == 0
    assert "\x1b" not in written
    assert "left" not in written
    assert written.isascii()
    assert "PASS any: 1 check, " in written
    assert max(len(line) for line in written.split("load runs")[1].splitlines()[1:]) <= 80


def test_a_dumb_terminal_gets_lines(two):
    status, written = run_on_terminal(two, "-v", TERM="dumb")
    assert status == 0
    assert PROGRESS.search(written)
    assert "\x1b[K" not in written


def test_without_a_terminal_a_line_is_written_now_and_then(two):
    session = two.run(*REPORTS, PYTHONIOENCODING="ascii", COLUMNS="100")
    assert session.status == 0
    lines = session.output.splitlines()
    progress = [line for line in lines if PROGRESS.fullmatch(line)]
    assert len(progress) >= 2
    assert "\x1b" not in session.output
    assert session.output.isascii()
    assert re.search(r"(?m)^test_load\.py \.\. +\[100%\]$", session.output)


def test_quiet_and_without_a_reporter_nothing_is_written(two):
    assert "left" not in two.run("-q").output
    session = two.run("-p", "no:terminal", "-s", *REPORTS)
    assert session.output == ""
    assert session.status == 0
    assert session.verdicts() == {"test_one": ["pass"], "test_two": ["pass"]}


def test_whoever_waits_for_the_machine_says_so(suite):
    suite.write(TWO, "any: {total: {failure_ratio: 0}}")
    with FileLock(suite.directory / "tailgate-load.lock") as turn, suite.start("-k", "test_one") as process:
        assert "waiting: another load runs on this machine\n" in iter(lambda: next_line(process), "")
        assert suite.requests() == 0
        turn.release()
        session = suite.finish(process)
    assert session.status == 0
    assert suite.requests() > 0


@pytest.mark.parametrize(
    ("number", "name", "status"), [(signal.SIGINT, "Ctrl-C", 2), (signal.SIGTERM, "SIGTERM", 143)], ids=["INT", "TERM"]
)
def test_a_signal_ends_the_run_in_order(suite, number, name, status):
    suite.write(LONG, LONG_LIMITS)
    with suite.start("-k", "long", *REPORTS) as process:
        suite.wait_for_load(process, requests=20)
        process.send_signal(number)
        session = suite.finish(process)
    assert session.status == status, session.output
    (run,) = session.runs
    assert run["verdict"] == "invalid"
    assert run["reasons"][0].startswith(f"interrupted by {name} after ")
    assert run["total"]["samples"] > 0
    assert "INVALID long: cannot be judged for " in session.output
    assert f"interrupted by {name} after " in session.output
    assert "Traceback" not in session.output


def test_ctrl_c_ends_the_workers_as_well(suite):
    pytest.importorskip("xdist")
    suite.write(LONG, LONG_LIMITS)
    with suite.start("-n", "2", "-k", "long", "--perf-json=report.json") as process:
        suite.wait_for_load(process, requests=20)
        # As a terminal does, to all at once.
        session_processes = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        for each in session_processes:
            each.send_signal(signal.SIGINT)
        session = suite.finish(process)
    assert session.status == 2
    assert "INTERNALERROR" not in session.output
    assert not psutil.wait_procs(session_processes, timeout=10)[1]
    (run,) = session.runs
    assert run["reasons"][0].startswith("interrupted by Ctrl-C after ")
    assert run["total"]["samples"] > 0
    assert "INVALID long: cannot be judged for " in session.output
    assert not (suite.directory / ".tailgate").exists()


def test_the_second_ctrl_c_does_not_wait(suite):
    suite.write(
        """
        class Patient(FastHttpUser):
            host = Reader.host

            @task
            def wait(self):
                self.client.get("{prefix}/hello")
                self.client.get("/hang")

        @pytest.mark.perf
        def test_hangs(load):
            shape = [Stage(name="hold", duration_s=60, users=2)]
            load([Patient], shape=shape, request_timeout_s=50, stop_timeout_s=50)
        """.replace("{prefix}", suite.prefix),
        "hangs: {total: {failure_ratio: 0}}",
    )
    with suite.start(*REPORTS) as process:
        suite.wait_for_load(process)
        session = suite.interrupt_twice(process)
    assert session.status == 2, session.output
    assert "INTERNALERROR" not in session.output
    assert "KeyboardInterrupt" in session.output


def test_a_failing_service_ends_a_run_early_if_asked_to(suite):
    suite.write(
        """
        @pytest.mark.perf
        def test_fails(load):
            load([Unlucky], shape=[Stage(name="hold", duration_s=60, users=4)])

        @pytest.mark.perf
        def test_passes(load):
            load([Reader], shape=SHAPE)
        """,
        """
        fails: {total: {failure_ratio: 0.01, p99_ms: 5000}}
        passes: {total: {failure_ratio: 0.01}}
        """,
    )
    session = suite.run("--perf-abort-on-fail", *REPORTS)
    assert session.status == 1
    assert session.verdicts() == {"test_fails": ["fail"], "test_passes": ["pass"]}
    (run,) = session.runs_of("test_fails")
    assert run["duration_s"] < 30
    (note,) = run["notes"]
    assert re.match(r"cut after \d+\.\d s: \d+ of [\d,]+ requests failed, and 1 % of at most", note)
    assert "notes      cut after" in session.output
    assert "failure_ratio 100 % breaks <= 1 %" in session.failure("test_fails").text


def test_a_time_scale_stretches_every_shape(two):
    session = two.run("--perf-time-scale=2", "-k", "test_one", *REPORTS)
    (run,) = session.runs
    assert run["duration_s"] == pytest.approx(1.2)
    assert [stage["end_s"] for stage in run["stages"]] == [pytest.approx(1.2)]
    assert session.status == 0


CHECKED = """
    import pytest, sys

    @pytest.fixture(scope="session", autouse=True)
    def stack():
        raise AssertionError("started")

    @pytest.mark.perf
    def test_browse(load): pass

    @pytest.mark.skip
    @pytest.mark.perf
    def test_buy(load): pass

    def test_other(): pass
"""


def test_the_file_is_checked_without_stack_or_load(suite):
    suite.put("test_light.py", CHECKED).limit("browse: {total: {p95_ms: 250}}\nbuy: {total: {failure_ratio: 0.1}}")
    suite.put(
        "conftest.py",
        """
        import sys

        def pytest_unconfigure():
            assert not {"locust", "gevent", "numpy"} & set(sys.modules)
        """,
    )
    session = suite.run("--perf-check", "-q", "--perf-json=report.json")
    assert session.status == 0
    assert session.output.count("thresholds.yaml: 2 scenarios with 2 limits match 2 load tests\n") == 1
    assert not (suite.directory / "report.json").exists()


def test_the_check_sees_every_load_test_whatever_is_selected(run_here, pytester):
    pytester.makepyfile(test_light=CHECKED)
    thresholds = pytester.path / "thresholds.yaml"
    thresholds.write_text("scenarios:\n  browse: {total: {p95_ms: 250}}\n  buy: {total: {p95_ms: 250}}\n")
    for args in ((), ("test_light.py",), ("-k", "browse"), ("-m", "perf"), ("test_light.py::test_browse",)):
        result = run_here("--perf-check", *args)
        assert result.ret == 0
        result.stdout.re_match_lines([r"thresholds\.yaml: 2 scenarios with 2 limits match (1 load test|2 load tests)$"])


def test_the_check_tells_every_mismatch(run_here, pytester):
    pytester.makepyfile(test_light=CHECKED)
    (pytester.path / "thresholds.yaml").write_text(
        "scenarios: {browse: {total: {p95_ms: 1}}, sell: {total: {p95_ms: 1}}}"
    )
    result = run_here("--perf-check")
    assert result.ret == 4
    assert result.stderr.str().splitlines()[:2] == [
        "ERROR: test_light.py::test_buy: scenario 'buy' is not in thresholds.yaml; scenarios there: browse, sell",
        "thresholds.yaml:1: $.scenarios.sell: no test has this scenario; scenarios of tests: browse, buy",
    ]


def test_the_check_does_not_pass_what_could_not_be_collected(run_here, pytester):
    pytester.makepyfile(test_light=CHECKED, test_broken="import nowhere")
    (pytester.path / "thresholds.yaml").write_text(
        "scenarios: {browse: {total: {p95_ms: 1}}, buy: {total: {p95_ms: 1}}, other: {total: {p95_ms: 1}}}"
    )
    result = run_here("--perf-check")
    assert result.ret == 2
    assert "No module named 'nowhere'" in result.stdout.str()
    assert "load tests" not in result.stdout.str()
    assert "no test has this scenario" not in result.stderr.str()


def test_a_check_without_load_tests_is_refused(run_here, pytester):
    pytester.makepyfile("def test_other(): pass")
    result = run_here("--perf-check")
    assert result.ret == 4
    assert "no load tests were collected; mark them with @pytest.mark.perf" in result.stderr.str()
