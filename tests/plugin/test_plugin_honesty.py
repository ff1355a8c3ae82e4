"""What a test does, or what goes wrong beside a run, hides nothing."""

import pytest

TESTS = """
import time
import gc

from tailgate import ThresholdBreach
from tailgate.run import RunResult

@pytest.mark.perf(scenario="strict")
def test_that_catches_the_breach(load):
    with pytest.raises(ThresholdBreach):
        load([Reader], shape=SHAPE).check()

@pytest.mark.perf(scenario="lenient")
def test_with_a_broken_observer(load):
    load.observe(lambda: lambda run: {"seen": len(run.samples)})
    load.observe(lambda: lambda run: 1 / 0)
    load([Reader], shape=SHAPE)

@pytest.mark.perf(scenario="lenient")
def test_with_an_action_that_outlives_its_stage(load):
    shape = Stages(Stage(name="one", duration_s=0.2, users=1), Stage(name="two", duration_s=0.2, users=1))
    load([Reader], shape=shape, at_stage={"one": lambda: time.sleep(0.4)})

@pytest.mark.perf(scenario="lenient")
def test_with_failures_that_no_limit_asks_for(load):
    load([Reader, Unlucky], shape=Stages(Stage(name="only", duration_s=0.3, users=4)))

@pytest.mark.perf(scenario="lenient")
def test_that_keeps_no_samples_of_earlier_tests(load):
    gc.collect()
    assert [item for item in gc.get_objects() if isinstance(item, RunResult)] == []
    load([Reader], shape=SHAPE)
"""
LIMITS = """
strict: {total: {max_ms: 0.001}}
lenient: {total: {max_ms: 60000}}
"""


@pytest.fixture(scope="module")
def session(new_suite):
    suite = new_suite().write(TESTS, LIMITS)
    return suite.run("-m", "perf", "--perf-json=report.json", "--junitxml=junit.xml")


def test_a_breach_that_the_test_catches_fails_it_all_the_same(session):
    assert session.status == 1
    assert session.failure("test_that_catches_the_breach").text.startswith("strict: 1 check failed:")
    assert session.verdicts()["test_that_catches_the_breach"] == ["fail"]


def test_an_observer_that_raises_makes_the_run_invalid_and_costs_no_other_counter(session):
    (run,) = session.runs_of("test_with_a_broken_observer")
    assert run["verdict"] == "invalid"
    assert run["reasons"] == ["counters could not be computed: ZeroDivisionError: division by zero"]
    assert run["counters"]["seen"] >= run["total"]["samples"] > 0
    assert "Traceback" not in session.failure("test_with_a_broken_observer").text


def test_an_action_that_outlives_its_stage_makes_the_run_invalid(session):
    (run,) = session.runs_of("test_with_an_action_that_outlives_its_stage")
    assert run["reasons"] == ["at_stage 'one' was not done when its stage ended; make the stage longer"]


def test_failures_that_no_limit_asks_for_are_a_warning(session):
    (run,) = session.runs_of("test_with_failures_that_no_limit_asks_for")
    failed, samples = run["total"]["failures"], run["total"]["samples"]
    assert run["verdict"] == "warn"
    assert run["notes"] == [
        f"{failed} of {samples} requests failed, and no limit of the scenario says how many may: add failure_ratio"
    ]


def test_the_samples_of_a_test_are_gone_when_it_is_over(session):
    assert session.verdicts()["test_that_keeps_no_samples_of_earlier_tests"] == ["pass"]


def test_a_url_for_the_stack_is_what_is_loaded(suite):
    suite.write(
        """
        class Homeless(Reader):
            host = None

        @pytest.mark.perf
        def test_by_url(load):
            load([Homeless], shape=SHAPE)
        """,
        "by_url: {total: {failure_ratio: 0}}",
    )
    session = suite.run("-m", "perf", f"--perf-stack={suite.host}/", "--perf-json=report.json")
    assert session.verdicts() == {"test_by_url": ["pass"]}
    assert suite.requests() > 0
