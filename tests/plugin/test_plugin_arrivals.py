"""The open model by the plugin: reported, cut when its budget is spent, refused before anything is sent."""

from __future__ import annotations

from tests.acceptance.quiet_end import QUIET

TESTS = """
    from locust import TaskSet
    from tailgate import Arrivals
    from tests.acceptance.quiet_end import QUIET

    @pytest.mark.perf
    def test_passes(load):
        busy = Stage(name="busy", duration_s=0.5, arrival_rate_rps=100)
        run = load([Reader], shape=Stages(busy, QUIET))
        assert run.counters["reads"] == run.generator.due

    @pytest.mark.perf
    def test_rates(load):
        rates = {"day": 80, "dusk": 40}
        stages = [Stage(name=name, duration_s=0.3, arrival_rate_rps=rate) for name, rate in rates.items()]
        load([Reader], shape=[*stages, QUIET])

    @pytest.mark.perf
    def test_fails(load):
        load([Unlucky], shape=Arrivals(rate_rps=200, duration_s=30))

    class Branching(FastHttpUser):
        @task
        class Branch(TaskSet):
            pass

    @pytest.mark.perf
    def test_refused(load):
        load([Branching], shape=Arrivals(), host=Reader.host)

    @pytest.mark.perf
    def test_mixed(load):
        day = Stage(name="day", duration_s=1, arrival_rate_rps=5)
        load([Reader], shape=Stages(day, Stage(name="night", duration_s=1, users=1)))
"""
LIMITS = """
    passes: {total: {failure_ratio: 0, requests: 20}}
    rates: {total: {failure_ratio: 0}, stages: {dusk: {total: {failure_ratio: 0}}}}
    fails: {total: {failure_ratio: 0.01}, generator: {max_dispersion: 100, min_achieved_ratio: 0.1}}
    refused: {total: {failure_ratio: 0}}
    mixed: {total: {failure_ratio: 0}}
"""


def test_open_runs_from_the_plan_to_the_reports(suite):
    suite.write(TESTS, LIMITS)
    session = suite.run("-W", "error", "--perf-abort-on-fail", "--perf-json=report.json", "--junitxml=junit.xml")
    assert session.status == 1
    assert session.verdicts() == {
        "test_passes": ["pass"],
        "test_rates": ["pass"],
        "test_fails": ["fail"],
        "test_refused": ["invalid"],
        "test_mixed": ["invalid"],
    }, session.output

    (passed,) = session.runs_of("test_passes")
    generator = passed["generator"]
    assert (generator["due"], generator["unsent"]) == (passed["total"]["samples"], 0)
    assert generator["send_lag_p99_ms"] is not None
    assert [stage["arrival_rate_rps"] for stage in passed["stages"]] == [100, QUIET.arrival_rate_rps]

    assert "day (80/s)" in session.output
    assert "dusk (40/s)" in session.output

    (failed,) = session.runs_of("test_fails")
    assert failed["duration_s"] < 15
    assert [(stage["name"], stage["arrival_rate_rps"]) for stage in failed["stages"]] == [("arrivals", 200)]
    assert "cannot be kept any more" in failed["notes"][-1]

    (refused,) = session.runs_of("test_refused")
    assert "\n".join(refused["reasons"]) == (
        "load: Branching has the task set Branch, which runs on and on; tasks that arrive at a rate must be methods or "
        "functions"
    )
    assert session.failure("test_mixed").text == (
        "shape: stage 'night' has no arrival_rate_rps, and others have; give all of them one, or none"
    )
