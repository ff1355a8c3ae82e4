"""Duets by the plugin: two builds of a small service in a git repository, or two URLs."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys

import pytest

from tests.plugin.suites import ROOT

SERVICE = """
import asyncio
import sys

DELAY_S = {delay_s}
PATH = "{path}"

async def serve(reader, writer):
    try:
        while head := await reader.readuntil(b"\\r\\n\\r\\n"):
            path = head.split()[1].decode()
            if path == PATH:
                await asyncio.sleep(DELAY_S)
            status = "200 OK" if path in {{PATH, "/health"}} else "404 Not Found"
            writer.write(f"HTTP/1.1 {{status}}\\r\\ncontent-length: 2\\r\\n\\r\\nok".encode())
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()

async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()

asyncio.run(main())
"""
# What docs/duet.md shows, without its need of pip.
_PAGE = (ROOT / "docs" / "duet.md").read_text()
_EXAMPLE = re.search(r"<!-- conftest.py -->\n *```python\n(.*?)```", _PAGE, flags=re.DOTALL)[1]
CONFTEST = _EXAMPLE.replace('return ["."]', "return []")
TESTS = """
    from tailgate import Arrivals

    class Caller(FastHttpUser):
        @task
        def call(self):
            self.client.get("/work", name="Work")
            self.counters.add("calls")

    @pytest.mark.perf
    def test_long(load):
        load([Caller], shape=Arrivals(rate_rps=240, duration_s=12))

    @pytest.mark.perf
    def test_short(load):
        run = load([Caller], shape=Arrivals(rate_rps=100, duration_s=1.5))
        run.check()
        assert run.counters["calls"] == run.total.samples

    @pytest.mark.perf
    def test_closed(load):
        load([Caller], shape=SHAPE)

    @pytest.mark.perf
    def test_plain(load):
        load([Reader], shape=SHAPE)
"""
RULE = "regression: {metric: p95_ms, max_change_ratio: 0.5}, generator: {max_dispersion: 100, min_achieved_ratio: 0.5}"
"""A machine that others use holds requests up, which then come at once, or at the end not at all."""
LIMITS = f"""
    long: {{{RULE}, total: {{failure_ratio: 0}}, duet: {{looks: [1], fail_from_round: 1, max_shared_cpu_ratio: 1}}}}
    short: {{{RULE}, total: {{failure_ratio: 0}}, duet: {{looks: [1, 2]}}}}
    closed: {{{RULE}, total: {{failure_ratio: 0}}}}
    plain: {{total: {{failure_ratio: 0}}}}
"""
REPORTS = ("--perf-json=report.json", "--junitxml=junit.xml")


def git(directory, *arguments):
    identity = ["-c", "user.name=Nobody", "-c", "user.email=nobody@example.org", "-c", "commit.gpgsign=false"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(
        ["git", *identity, "-C", directory, *arguments], env=environment, check=True, capture_output=True, text=True
    )
    return done.stdout


def write_service(suite, *, delay_s=0.005, path="/work"):
    suite.put("shop.py", SERVICE.format(delay_s=delay_s, path=path))


def commit(suite):
    git(suite.directory, "add", "shop.py", "conftest.py", "test_load.py", "thresholds.yaml")
    git(suite.directory, "commit", "--quiet", "--message", "Change the service")


@pytest.fixture
def project(suite):
    """A service with load tests in a repository; the working tree is what was committed last."""
    git(suite.directory, "init", "--quiet")
    suite.put("conftest.py", CONFTEST).write(TESTS, LIMITS)
    write_service(suite)
    commit(suite)
    return suite


def nothing_is_left(project):
    """Tell whether git knows one worktree only, and no sandbox is there any more."""
    worktrees = git(project.directory, "worktree", "list").splitlines()
    sandboxes = list(project.directory.glob("tailgate-*/"))
    return (worktrees[1:], sandboxes) == ([], [])


def test_a_slower_working_tree_is_a_regression_in_every_report(project):
    write_service(project, delay_s=0.3)
    session = project.run("--perf-duet=HEAD", "-k", "long", *REPORTS)
    assert session.status == 1, session.output
    assert "preparing the builds to compare (HEAD)" in session.output
    assert nothing_is_left(project)

    (run,) = session.runs
    change = run["changes"][0]
    assert run["verdict"] == "fail", run["reasons"]
    assert (change["outcome"], change["subject"], change["metric"]) == ("regressed", "total", "p95_ms")
    assert change["base"] < 300 < change["candidate"]
    assert change["low"] > 0.5
    assert run["duet"]["base"].startswith("HEAD (")
    assert "with uncommitted changes" in run["duet"]["candidate"]
    assert run["checks"] == []

    failure = session.failure("test_long")
    assert "long: regressed:" in failure.get("message", "")
    assert "p95 regressed" in session.output
    assert session.properties("test_long")["tailgate.long.change.total.total.p95_ms"].startswith("regressed base=")


def test_the_same_build_twice_is_unchanged(project):
    write_service(project, delay_s=0.2)  # beside which it does not count by what a busy machine holds up one arm
    project.limit(LIMITS.replace("max_change_ratio: 0.5", "max_change_ratio: 1"))
    session = project.run("--perf-duet=.", "-k", "long", *REPORTS)
    assert session.status == 0, session.output
    (run,) = session.runs
    assert run["verdict"] == "pass", run
    assert run["changes"][0]["outcome"] in {"unchanged", "improved"}  # the latter by chance
    assert run["duet"]["rounds"] == 1


def test_an_injected_slowdown_is_found(project):
    write_service(project, delay_s=0.2)
    session = project.run("--perf-duet=.", "--perf-inject=4", "-k", "long", *REPORTS)
    assert session.status == 1, session.output
    (run,) = session.runs
    assert run["changes"][0]["outcome"] == "regressed"
    assert run["duet"]["injected_ratio"] == 4


def test_too_little_data_is_a_warning_and_strictly_a_failure(project):
    session = project.run("--perf-duet=.", "-k", "short", *REPORTS)
    assert session.status == 0, session.output
    (run,) = session.runs
    assert (run["verdict"], run["changes"][0]["outcome"], run["duet"]["rounds"]) == ("warn", "inconclusive", 2)

    session = project.run("--perf-duet=.", "--perf-strict", "-k", "short")
    assert session.status == 1
    assert "inconclusive" in session.output


@pytest.mark.parametrize("conftest", ["", CONFTEST], ids=["without fixtures", "beside builds"])
def test_two_urls_are_loaded_as_they_run(suite, conftest):
    suite.put("conftest.py", conftest)
    suite.write(TESTS.replace('"/work"', 'f"/{{prefix}}/ok"'.replace("{{prefix}}", suite.prefix.strip("/"))), LIMITS)
    session = suite.run(f"--perf-duet={suite.host},{suite.host}", "-k", "short", *REPORTS)
    assert session.status == 0, session.output
    (run,) = session.runs
    assert run["verdict"] == "warn"
    assert run["duet"]["are_processes_fresh"] is False
    assert suite.requests() >= run["total"]["samples"] > 0


def test_a_baseline_with_another_api_is_invalid_and_never_an_improvement(project):
    write_service(project, path="/other")
    git(project.directory, "commit", "--quiet", "--all", "--message", "Move the service")
    write_service(project)
    session = project.run("--perf-duet=HEAD", "-k", "short", *REPORTS)
    assert session.status == 1
    (run,) = session.runs
    assert run["verdict"] == "invalid"
    assert any("GET Work failed" in reason and "404" in reason for reason in run["reasons"]), run["reasons"]


def test_a_baseline_that_does_not_start_is_told_with_its_log(project):
    project.put("shop.py", "raise SystemExit('no such luck')")
    git(project.directory, "commit", "--quiet", "--all", "--message", "Break the service")
    write_service(project)
    session = project.run("--perf-duet=HEAD", "-k", "short", *REPORTS)
    assert session.status == 1
    assert "service 'shop' not ready" in session.output
    assert "baseline HEAD (" in session.output
    assert "no such luck" in session.output
    assert [run["verdict"] for run in session.runs] == ["invalid"]
    assert nothing_is_left(project)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--perf-duet=no-such-branch"], "no such commit"),
        (["--perf-duet=HEAD", "-k", "plain"], "no selected load test has anything to compare"),
        (["--perf-duet=HEAD", "--perf-save"], "cannot be given with --perf-save"),
        (["--perf-duet=http://127.0.0.1:1"], "wanted two: BASELINE_URL,CANDIDATE_URL"),
        (["--perf-inject=0.2"], "give --perf-duet=REF as well"),
        (["--perf-duet=.", "--perf-inject=fast"], "wanted a ratio"),
    ],
)
def test_what_cannot_be_played_is_refused_before_anything_is_started(project, arguments, message):
    session = project.run(*arguments)
    assert session.status == 4, session.output
    assert message in " ".join(session.output.split())


def test_a_closed_shape_cannot_be_a_duet(project):
    session = project.run("--perf-duet=.", "-k", "closed", *REPORTS)
    assert session.status == 1
    assert "use shape=Arrivals" in session.output
    assert [run["verdict"] for run in session.runs] == ["invalid"]


def test_tests_without_anything_to_compare_are_left_out(project):
    session = project.run("--perf-duet=.", "--perf-check")
    assert session.status == 0, session.output
    assert "thresholds.yaml: 4 scenarios with 4 limits and 3 rules for duets match 4 load tests" in session.output
    session = project.run("--perf-duet=.", "-k", "short or plain", "--perf-time-scale=0.2", *REPORTS)
    assert "3 deselected" in session.output
    assert [run["scenario"] for run in session.runs] == ["short"]


@pytest.mark.parametrize("reference", [".", "HEAD"])
def test_the_fixture_that_starts_an_arm_is_named_where_it_is_missing_before_anything_is_installed(project, reference):
    project.put("conftest.py", "")
    session = project.run(f"--perf-duet={reference}", "-k", "short")
    assert session.status == 4
    output = " ".join(session.output.split())
    assert f"nothing says how to start a build of '{reference}': override the fixture perf_duet_arm" in output


def test_calibrate_refuses_to_learn_where_no_later_duet_would_look(project):
    (project.directory / "elsewhere").mkdir()
    pytest_args = ["..", "-k", "short", "--perf-time-scale=0.5", "-p", "tests.plugin.own_turn", "-p", "no:randomly"]
    arguments = ["calibrate", "--duets", "1", "--", *pytest_args]
    environment = {**os.environ, "TMPDIR": str(project.directory), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", "from tailgate.cli import main; raise SystemExit(main())", *arguments],
        cwd=project.directory / "elsewhere",
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 3, done.stdout
    assert f"there is no test_load.py in {project.directory}/elsewhere; calibrate in pytest's root" in done.stderr


def test_an_interrupt_leaves_the_rounds_that_were_played_and_nothing_else(project):
    with project.start("--perf-duet=HEAD", "-k", "long", "-v", *REPORTS) as process:
        lines = iter(process.stdout.readline, "")
        assert any("left" in line for line in lines), "no progress was shown"
        process.send_signal(signal.SIGINT)
        session = project.finish(process)
    assert session.status == 2, session.output
    (run,) = session.runs
    assert run["verdict"] == "invalid"
    assert any("interrupted by Ctrl-C" in reason for reason in run["reasons"])
    assert run["total"]["samples"] > 0
    assert nothing_is_left(project)
