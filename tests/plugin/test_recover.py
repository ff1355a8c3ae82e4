"""What a session measured is found after it was killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import jsonschema
import psutil
import pytest

from tailgate.reports.record import report_schema
from tests.plugin.suites import PATIENCE_S, ROOT, Suite, wait_until

SHORT = """
    @pytest.mark.perf
    def test_short(load):
        load([Reader], shape=SHAPE)
"""
TESTS = f"""{SHORT}
    @pytest.mark.perf
    def test_long(load):
        load([Reader, Unlucky], shape=[Stage(name="hold", duration_s=60, users=4)])
"""
LIMITS = """
    short: {total: {failure_ratio: 0}}
    long: {total: {p95_ms: 5000}}
"""
RECOVER = "import sys; from tailgate.cli import main; sys.exit(main())"
MOST_LOST_S = 5.0


@dataclass(frozen=True)
class Recovered:
    status: int
    output: str
    errors: str
    runs: list[dict] | None
    """None if no report was written."""

    def run_of(self, scenario: str) -> dict:
        assert self.runs is not None, self.output + self.errors
        (only,) = [run for run in self.runs if run["scenario"] == scenario]
        return only


def recover(suite: Suite, *args: str) -> Recovered:
    report = suite.directory / "recovered.json"
    report.unlink(missing_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", RECOVER, "recover", "--json=recovered.json", *args],
        cwd=suite.directory,
        env=os.environ | {"COLUMNS": "120", "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    runs = None
    if report.exists():
        document = json.loads(report.read_text())
        jsonschema.Draft202012Validator(report_schema()).validate(document)
        runs = document["runs"]
    return Recovered(done.returncode, done.stdout, done.stderr, runs)


def files(suite: Suite, suffix: str) -> list[Path]:
    return sorted(suite.directory.glob(f".tailgate/runs/*/*{suffix}"))


def wait_for_second_run(suite: Suite) -> None:
    """Wait until the first run is judged and the second one has begun."""
    wait_until(lambda: files(suite, ".records") and files(suite, "-2.run"))


def kill(process: subprocess.Popen) -> None:
    process.kill()
    process.communicate()


@dataclass(frozen=True)
class Killed:
    suite: Suite
    earlier: int
    """Requests that the service had seen five seconds before the session was killed."""
    last: int
    """... and right after."""


@pytest.fixture(scope="module")
def killed(new_suite) -> Killed:
    """A session that was killed in its second run."""
    suite = new_suite().write(TESTS, LIMITS)
    with suite.start("--perf-json=report.json") as process:
        wait_for_second_run(suite)
        began_s, seen = time.monotonic(), []
        while time.monotonic() < began_s + MOST_LOST_S + 2:
            seen.append((time.monotonic(), suite.requests()))
            time.sleep(0.1)
        at_s = time.monotonic()
        kill(process)
    earlier = max(count for when_s, count in seen if when_s <= at_s - MOST_LOST_S)
    return Killed(suite, earlier, suite.requests())


def test_a_kill_loses_five_seconds_of_results_at_most(killed):
    recovered = recover(killed.suite)

    # The service counts what the readers ask for, of both runs.
    reads = [recovered.run_of(scenario)["requests"]["GET Read"]["samples"] for scenario in ("short", "long")]
    assert 0 < killed.earlier <= sum(reads) <= killed.last


def test_a_run_in_which_the_process_died_is_invalid_and_says_where_it_is_from(killed):
    long = recover(killed.suite).run_of("long")

    assert long["verdict"] == "invalid"
    assert long["duration_s"] >= 2
    (path,) = (path.relative_to(killed.suite.directory) for path in files(killed.suite, ".run"))
    told = f"the process ended during the run, after {long['duration_s']:.1f} s; recovered from {path}"
    assert long["reasons"][0] == told
    (check,) = long["checks"]
    successes = long["total"]["samples"] - long["total"]["failures"]
    assert (check["metric"], check["outcome"], check["samples"]) == (
        "p95_ms",
        "pass",
        successes,
    )
    assert long["counters"]["reads"] > 0
    assert long["errors"][0]["where"] == "GET Fail"
    assert long["generator"]["cpu_ratio"] > 0
    assert long["stages"][0]["users_reached"] == 4


def test_runs_that_were_judged_before_the_kill_are_as_they_were(killed):
    recovered = recover(killed.suite)

    assert [run["scenario"] for run in recovered.runs] == ["short", "long"]
    assert recovered.run_of("short")["verdict"] == "pass"
    assert not (killed.suite.directory / "report.json").exists()


def test_the_command_shows_what_it_found(killed):
    recovered = recover(killed.suite, "--summary=recovered.md")

    assert (recovered.status, recovered.errors) == (0, "")
    (session,) = killed.suite.directory.glob(".tailgate/runs/*")
    assert recovered.output.startswith(f"{session.name}: 2 runs (1 pass, 1 invalid)\n")
    assert "PASS short: 1 check" in recovered.output
    assert "INVALID long: cannot be judged for" in recovered.output
    assert "## " in (killed.suite.directory / "recovered.md").read_text()


def test_what_was_read_is_removed_only_if_asked(killed, new_suite):

    copy = new_suite()
    shutil.copytree(killed.suite.directory / ".tailgate", copy.directory / ".tailgate")
    assert len(recover(copy).runs) == 2
    assert len(recover(copy, "--remove").runs) == 2
    assert files(copy, "") == []
    again = recover(copy)
    assert (again.status, again.runs) == (0, None)
    assert "nothing to recover in" in again.output


@pytest.fixture
def copied(killed, new_suite) -> Suite:
    """The same that the killed session left, to be damaged."""

    suite = new_suite()
    shutil.copytree(killed.suite.directory / ".tailgate", suite.directory / ".tailgate")
    return suite


def test_a_run_that_was_being_written_is_read_to_its_last_whole_piece(copied):
    whole = recover(copied).run_of("long")["total"]["samples"]
    (path,) = files(copied, ".run")
    path.write_bytes(path.read_bytes()[:-7])
    recovered = recover(copied)

    assert (recovered.status, recovered.errors) == (0, "")
    assert 0 < recovered.run_of("long")["total"]["samples"] < whole


def test_a_damaged_file_is_one_error_and_the_rest_is_recovered(copied):
    (path,) = files(copied, ".run")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    recovered = recover(copied, "--remove")

    assert recovered.status == 3
    (line,) = recovered.errors.splitlines()
    assert line.startswith(f"tailgate recover: {path.relative_to(copied.directory)}: is damaged at byte ")
    assert line.endswith("; what comes before was read")
    assert [run["scenario"] for run in recovered.runs] == ["short", "long"]
    assert path.exists()


def test_a_file_that_is_no_journal_is_one_error_and_the_rest_is_recovered(copied):
    (path,) = files(copied, ".run")
    path.write_text("something else")
    recovered, told = recover(copied), path.relative_to(copied.directory)

    assert recovered.status == 3
    assert recovered.errors == f"tailgate recover: {told}: is not a journal of this version of tailgate\n"
    assert [run["scenario"] for run in recovered.runs] == ["short"]


def test_nothing_is_left_of_a_session_that_wrote_its_reports(suite):
    suite.write(
        """
        @pytest.mark.perf("short")
        def test_it(load):
            load([Reader], shape=SHAPE)
            import pathlib
            assert len(list(pathlib.Path(".tailgate/runs").glob("*/main-1.run"))) == 1
    """,
        LIMITS.replace("long", "#"),
    )
    session = suite.run("--perf-json=report.json")

    assert session.status == 0, session.output
    assert session.verdicts() == {"test_it": ["pass"]}
    assert not (suite.directory / ".tailgate").exists()


def test_what_else_is_kept_below_tailgate_stays(suite):
    suite.write(SHORT, "short: {total: {failure_ratio: 0}}")
    (suite.directory / ".tailgate").mkdir()
    (suite.directory / ".tailgate" / "mine").touch()
    assert suite.run().status == 0
    assert [path.name for path in (suite.directory / ".tailgate").iterdir()] == ["mine"]


def test_a_session_that_still_runs_is_left_alone_or_read_as_far_as_it_got(suite):
    suite.write(TESTS, LIMITS)
    with suite.start() as process:
        wait_for_second_run(suite)
        wait_until(lambda: files(suite, "-2.run")[0].stat().st_size > 5_000)
        alone, read = recover(suite, "--remove"), recover(suite, "--running", "--remove")
        kill(process)

    assert (alone.status, alone.runs) == (0, None)
    assert "still running, left alone; --running reads it as far as it got" in alone.output
    assert read.run_of("long")["reasons"][0].startswith("the process still runs, and is during the run, after ")
    assert len(files(suite, ".run")) == 1


def test_reports_that_could_not_be_written_can_be_recovered(suite):
    suite.write(SHORT, "short: {total: {failure_ratio: 0}}")
    suite.put(
        "conftest.py",
        """
        import pathlib, shutil

        def pytest_runtest_teardown(item):
            shutil.rmtree("reports")
            pathlib.Path("reports").touch()
    """,
    )
    session = suite.run("--perf-json=reports/report.json")

    assert session.status == 4
    assert "reports: Not a directory" in session.output or "is not a directory" in session.output
    assert "runs that are in no report; see tailgate recover" in session.output
    assert recover(suite).run_of("short")["verdict"] == "pass"


def test_a_root_directory_that_cannot_be_written_is_a_note(suite):
    suite.write(SHORT, "short: {total: {failure_ratio: 0}}")
    (suite.directory / ".tailgate").touch()
    session = suite.run("--perf-json=report.json")

    assert session.status == 0, session.output
    (run,) = session.runs
    (note,) = [note for note in run["notes"] if note.startswith("not kept on disk, so that a crash would have lost it")]
    assert ".tailgate/runs/" in note


def test_a_second_ctrl_c_leaves_what_was_measured_on_disk(suite):
    suite.write(
        f"""
        class Patient(FastHttpUser):
            host = Reader.host

            @task
            def wait(self):
                self.client.get("{suite.prefix}/ok", name="Read")
                self.client.get("/hang")

        @pytest.mark.perf("long")
        def test_it(load):
            load([Patient], shape=[Stage(name="hold", duration_s=60, users=2)], request_timeout_s=50, stop_timeout_s=50)
        """,
        LIMITS.replace("short", "#"),
    )
    with suite.start("--perf-json=report.json") as process:
        wait_until(lambda: files(suite, "-1.run") and files(suite, "-1.run")[0].stat().st_size > 2_000)
        session = suite.interrupt_twice(process)

    assert session.status == 2, session.output
    assert "runs that are in no report; see tailgate recover" in session.output
    assert recover(suite).run_of("long")["requests"]["GET Read"]["samples"] == 2


def test_a_ctrl_c_while_an_action_is_awaited_leaves_the_run_on_disk(suite):
    suite.write(
        """
        import threading

        @pytest.mark.perf("short")
        def test_it(load):
            load([Reader], shape=SHAPE, at_stage={"only": threading.Event().wait})
        """,
        LIMITS.replace("long", "#"),
    )
    suite.put(
        "conftest.py",
        """
        import pathlib
        from tailgate.watching import RunMonitor

        join = RunMonitor.join_actions

        def join_actions(self):
            pathlib.Path("awaited").touch()
            return join(self)

        RunMonitor.join_actions = join_actions
        """,
    )
    with suite.start("--perf-json=report.json") as process:
        wait_until((suite.directory / "awaited").exists)
        process.send_signal(signal.SIGINT)
        session = suite.finish(process)

    assert session.status == 2, session.output
    assert "runs that are in no report; see tailgate recover" in session.output
    short = recover(suite).run_of("short")
    assert short["reasons"][0].startswith("the process ended after the run, before it was judged; recovered from ")
    assert short["total"]["samples"] > 0


def test_a_ctrl_c_before_anything_was_measured_leaves_nothing(suite):
    suite.write(
        """
        @pytest.mark.perf("short")
        def test_it(load):
            def begin():
                raise KeyboardInterrupt
            load.observe(begin)
            load([Reader], shape=SHAPE)
        """,
        LIMITS.replace("long", "#"),
    )
    assert suite.run().status == 2
    assert not (suite.directory / ".tailgate").exists()


def test_a_worker_of_xdist_that_is_killed_leaves_its_run(suite):
    suite.write(TESTS, LIMITS)
    with suite.start("-n1", "--perf-json=report.json", "--max-worker-restart=0") as process:
        wait_until(lambda: files(suite, "gw0-2.run") and files(suite, "gw0-2.run")[0].stat().st_size > 5_000)
        (worker,) = psutil.Process(process.pid).children()
        worker.kill()
        session = suite.finish(process)

    assert session.verdicts() == {"test_short": ["pass"]}
    assert "runs that are in no report; see tailgate recover" in session.output
    recovered = recover(suite)
    assert [run["scenario"] for run in recovered.runs] == ["short", "long"]
    assert recovered.run_of("long")["verdict"] == "invalid"


def test_a_long_run_says_in_every_report_what_it_was_judged_by(suite):
    suite.write(
        """
        @pytest.mark.perf("short")
        def test_it(load):
            load.locate(lambda: lambda run: [("1", {"nginx": 1.0})])
            load([Reader], shape=[Stage(name="only", duration_s=2, users=2)])
        """,
        "short: {total: {failure_ratio: 0, p95_ms: 5000}}",
    )
    suite.put("conftest.py", "import tailgate.engine.arm\ntailgate.engine.arm.MOST_EXACT = 10\n")
    session = suite.run("--perf-json=report.json", "--perf-summary=summary.md", "--perf-save")
    (run,) = session.runs

    assert session.status == 0, session.output
    assert run["resolution"] == "histograms of three digits"
    assert 10 < run["total"]["samples"] <= suite.requests()
    assert "percentiles are from histograms of three digits" in " ".join(session.output.split())
    assert "- latencies: histograms of three digits" in (suite.directory / "summary.md").read_text()
    (note,) = [note for note in run["notes"] if note.startswith("where the time went could not be told")]
    assert "every single one is needed" in note
    assert [path.name for path in (suite.directory / ".tailgate").iterdir()] == ["baselines"]
