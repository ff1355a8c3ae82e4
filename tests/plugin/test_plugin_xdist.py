"""Load tests in several workers: one report, and messages that come once."""

import os
import signal

import psutil
import pytest

from tests.plugin.suites import wait_until

pytest.importorskip("xdist")

TESTS = """
    import os

    @pytest.mark.perf
    def test_one(load):
        load([Reader], shape=SHAPE)

    @pytest.mark.perf
    def test_two(load):
        load([Reader], shape=SHAPE)
"""
LIGHT = """
    import pytest

    @pytest.mark.perf
    def test_one(load):
        raise AssertionError

    @pytest.mark.perf
    def test_two(load):
        raise AssertionError
"""
"""Tests that only have to be collected."""
LIMITS = """
    one: {total: {failure_ratio: 0}}
    two: {total: {failure_ratio: 0}}
"""


def test_a_wrong_thresholds_file_is_one_message_of_the_controller(suite):
    suite.put("test_light.py", LIGHT).limit("one: {total: {p95: 3}}")
    session = suite.run("-n", "2", "--perf-json=report.json")
    assert session.status == 4
    assert session.output.count("did you mean 'p95_ms'") == 1
    assert "Traceback" not in session.output
    assert session.runs == []


def test_the_file_is_checked_under_xdist_as_without(suite):
    suite.put("test_light.py", LIGHT).limit(LIMITS)
    session = suite.run("-n", "2", "--perf-check", "-q")
    assert session.status == 0
    assert session.output.count("thresholds.yaml: 2 scenarios with 2 limits match 2 load tests") == 1


def test_a_worker_that_crashes_takes_no_other_result_with_it(suite):
    suite.write(TESTS.replace("def test_two(load):\n", "def test_two(load):\n        os._exit(1)\n"), LIMITS)
    session = suite.run("-n", "1", "--max-worker-restart=0", "--perf-json=report.json", "--junitxml=junit.xml")
    assert session.status == 1
    assert session.verdicts() == {"test_one": ["pass"]}
    assert "PASS one: 1 check" in session.output
    assert session.failure("test_one") is None
    assert "crashed while running 'test_load.py::test_two'" in session.output


def test_without_xdist_the_plugin_works_alone(suite):
    suite.write(TESTS, LIMITS)
    session = suite.run("-pno:xdist", "--perf-json=report.json")
    assert session.status == 0
    assert session.verdicts() == {"test_one": ["pass"], "test_two": ["pass"]}


JUDGED = """
    import os, pathlib, threading

    @pytest.mark.perf
    def test_one(load):
        load([Reader], shape=SHAPE).check()
        pathlib.Path("judged").write_text(str(os.getpid()))
        threading.Event().wait()
"""


@pytest.mark.parametrize(
    ("who", "number"),
    [("all", signal.SIGINT), ("controller", signal.SIGINT), ("worker", signal.SIGINT), ("worker", signal.SIGKILL)],
)
def test_a_run_that_was_judged_is_in_the_report_whoever_ends_its_test(suite, who, number):
    suite.write(JUDGED, "one: {total: {failure_ratio: 0}}")
    with suite.start("-n1", "--max-worker-restart=0", "--perf-json=report.json") as process:
        wait_until((suite.directory / "judged").exists)
        wait_until((suite.directory / "judged").read_text)
        worker = int((suite.directory / "judged").read_text())
        family = psutil.Process(process.pid).children(recursive=True)
        if who != "worker":
            process.send_signal(number)
        if who != "controller":
            os.kill(worker, number)
        session = suite.finish(process)

    assert session.status != 0
    assert session.verdicts() == {"test_one": ["pass"]}
    assert "PASS one: 1 check" in session.output
    assert "kept in" not in session.output
    assert not (suite.directory / ".tailgate").exists()
    assert not psutil.wait_procs(family, timeout=20)[1]


def test_reports_are_written_whatever_another_hook_raises(suite):
    suite.write(
        "@pytest.mark.perf\ndef test_one(load):\n    load([Reader], shape=SHAPE)", "one: {total: {max_ms: 5000}}"
    )
    suite.put("conftest.py", "def pytest_sessionfinish():\n    raise KeyboardInterrupt\n")
    session = suite.run("--perf-json=report.json")
    assert session.verdicts() == {"test_one": ["pass"]}
