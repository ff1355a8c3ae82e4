"""``--perf-workers`` and its kin on the command line, and what reports say of workers."""

import pytest

SUITE = """
class Old(HttpUser):
    host = "{host}"
    wait_time = constant(0.01)

    @task
    def read(self):
        self.client.get("{prefix}/old", name="Old")
        self.counters.add("reads")

@pytest.mark.perf
def test_read(load):
    load([Reader, Old], shape=SHAPE)

@pytest.mark.perf
def test_local(load):
    class Local(Reader):
        pass

    load([Local], shape=SHAPE)
"""


def test_users_of_a_test_module_live_in_workers_and_reports_tell_of_each(suite):
    text = SUITE.replace("{host}", suite.host).replace("{prefix}", suite.prefix)
    suite.write(
        f"from locust import HttpUser\n{text}", "read: {total: {failure_ratio: 0}}\nlocal: {total: {failure_ratio: 0}}"
    )
    session = suite.run("--perf-workers=2", "--perf-json=report.json", "--perf-summary=summary.md", "-W", "error")
    assert session.verdicts() == {"test_read": ["pass"], "test_local": ["invalid"]}, session.output
    (run,) = session.runs_of("test_read")
    assert run["counters"]["reads"] == suite.requests()
    workers = run["generator"]["workers"]
    assert [worker["name"] for worker in workers] == ["1", "2"]
    assert sum(worker["samples"] for worker in workers) == suite.requests()
    assert {"GET Read", "GET Old"} == set(run["requests"])
    assert "workers    1: " in session.output
    assert "- worker: 1: " in (suite.directory / "summary.md").read_text()
    (refused,) = session.runs_of("test_local")
    assert refused["reasons"][0].startswith("load: Local cannot be imported by worker processes: test_load has no")
    assert session.status == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--perf-workers=0"], "--perf-workers: '0', wanted 1 to 1000 or auto; give paths before it"),
        (["--perf-workers-expect=many"], "--perf-workers-expect: 'many', wanted 1 to 1000; give paths before it"),
        (["--perf-bind=0.0.0.0:5557"], "--perf-bind: is for --perf-workers-expect=N; give that as well"),
        (["--perf-workers-timeout=5"], "--perf-workers-timeout: is for --perf-workers-expect=N; give that as well"),
        (["--perf-workers-expect=1", "--perf-bind=5557"], "--perf-bind: '5557', wanted HOST:PORT"),
        (["--perf-workers-expect=1", "--perf-workers-timeout=0"], "--perf-workers-timeout: '0', wanted a positive"),
        (["--perf-workers=2", "--perf-workers-expect=2"], "--perf-workers: cannot be given with --perf-workers-expect"),
        (["--perf-workers=2", "--perf-ui"], "--perf-workers: cannot be given with --perf-ui"),
        (["--perf-workers=2", "--perf-otel"], "--perf-workers: cannot be given with --perf-otel"),
        (["--perf-workers=auto", "--perf-duet=."], "--perf-workers: cannot be given with --perf-duet"),
    ],
)
def test_options_that_do_not_fit_are_refused(run_here, options, message):
    result = run_here(*options)
    assert result.ret == 4
    assert result.stderr.str().startswith(f"ERROR: {message}")
