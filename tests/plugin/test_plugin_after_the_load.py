"""What goes wrong beside a load, or right after it, costs a run its verdict and not its figures."""

import pytest

TESTS = """
import sys

class Silent:
    url = Reader.host

    def check_alive(self):
        raise TimeoutError("docker ps did not answer within 10 s")

class Loud(Silent):
    def check_alive(self):
        pytest.fail("who knows")

class Unasked:
    url = Reader.host

@pytest.fixture
def perf_target(request):
    targets = {"test_silent": Silent(), "test_loud": Loud(), "test_unasked": Unasked()}
    return targets.get(request.node.name)

@pytest.mark.perf("lenient")
def test_silent(load):
    load([Reader], shape=SHAPE)

@pytest.mark.perf("lenient")
def test_loud(load):
    load([Reader], shape=SHAPE)

@pytest.mark.perf("lenient")
def test_unasked(load):
    load([Reader], shape=SHAPE)

@pytest.mark.perf("lenient")
def test_action_that_fails(load):
    load([Reader], shape=SHAPE, at_stage={"only": lambda: pytest.fail("could not stop the database")})

@pytest.mark.perf("lenient")
def test_action_that_exits(load):
    load([Reader], shape=SHAPE, at_stage={"only": lambda: sys.exit("could not stop the database")})

@pytest.fixture
def late():
    box = []
    yield box
    box[0]([Unlucky], shape=SHAPE)

@pytest.mark.perf("lenient")
def test_late(late, load):
    late.append(load)
    load([Reader], shape=SHAPE)

@pytest.mark.perf("lenient")
def test_workers_that_cannot_be_ended(load, monkeypatch):
    from contextlib import contextmanager

    @contextmanager
    def open_workers(*_):
        yield None
        raise OSError("it does not end")

    monkeypatch.setattr("tailgate.distributing.open_workers", open_workers)
    load([Reader], shape=SHAPE)

@pytest.mark.perf("lenient")
def test_figures_of_the_shape(load, monkeypatch):
    monkeypatch.setattr("tailgate.figures.with_shape_figures", lambda *_: 1 / 0)
    load([Reader], shape=SHAPE)
"""
REASONS = {
    "test_silent": "it could not be asked whether the stack is alive: TimeoutError: docker ps did not answer "
    "within 10 s",
    "test_loud": "it could not be asked whether the stack is alive: Failed: who knows",
    "test_action_that_fails": "at_stage 'only' raised Failed: could not stop the database",
    "test_action_that_exits": "at_stage 'only' raised SystemExit: could not stop the database",
    "test_workers_that_cannot_be_ended": "the workers could not be ended: OSError: it does not end",
    "test_figures_of_the_shape": "the figures of its shape could not be computed: ZeroDivisionError: division by zero",
}


@pytest.fixture(scope="module")
def session(new_suite):
    suite = new_suite().write(TESTS, "lenient: {total: {max_ms: 60000}}")
    return suite.run("--perf-json=report.json", "--junitxml=junit.xml")


@pytest.mark.parametrize("test", REASONS)
def test_the_run_is_invalid_for_that_reason_and_has_its_figures(session, test):
    (run,) = session.runs_of(test)
    assert (run["verdict"], run["reasons"]) == ("invalid", [REASONS[test]])
    assert run["total"]["samples"] > 0
    assert REASONS[test] in session.failure(test).text


def test_a_target_that_cannot_be_asked_is_refused_before_the_load(session):
    (run,) = session.runs_of("test_unasked")
    (reason,) = run["reasons"]
    assert reason.startswith("load: perf_target: 'Unasked' has no check_alive(); give it one that returns a sentence ")


def test_a_load_after_its_fixture_was_torn_down_is_refused(session):
    assert session.verdicts()["test_late"] == ["pass"]
    text = session.cases["test_late"].find("error").text
    assert "load() was called after the test's load fixture was torn down, so nobody would judge the run" in text
    assert "INTERNALERROR" not in session.output
