"""Tests that are skipped, or expected to fail: what they loaded is judged, what they never loaded is no run."""

import pytest

TESTS = """
import unittest

@pytest.mark.perf(scenario="strict")
def test_skips_after_a_breach(load):
    load([Reader], shape=SHAPE)
    pytest.skip("nothing to see")

@pytest.mark.perf(scenario="strict")
def test_skips_as_unittest_does_after_a_breach(load):
    load([Reader], shape=SHAPE)
    raise unittest.SkipTest("nothing to see")

@pytest.mark.perf(scenario="strict")
def test_skips_after_a_breach_that_it_caught(load):
    with pytest.raises(AssertionError):
        load([Reader], shape=SHAPE).check()
    pytest.skip("nothing to see")

@pytest.mark.perf(scenario="lenient")
def test_skips_after_a_good_run(load):
    load([Reader], shape=SHAPE)
    pytest.skip("seen enough")

@pytest.fixture
def warmed(load):
    load([Reader], shape=SHAPE)
    pytest.skip("nothing to see")

@pytest.mark.perf(scenario="strict")
def test_whose_fixture_skips_after_a_breach(warmed):
    pass

class TestOfUnittest(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def _keep(self, load):
        self.load = load

    @pytest.mark.perf(scenario="strict")
    def test_case_skips_after_a_breach(self):
        self.load([Reader], shape=SHAPE)
        self.skipTest("nothing to see")

    @pytest.mark.perf(scenario="lenient")
    def test_case_skips_after_a_good_run(self):
        self.load([Reader], shape=SHAPE)
        self.skipTest("seen enough")

    @pytest.mark.perf(scenario="strict")
    def test_case_skips_at_once(self):
        self.skipTest("not today")

    @unittest.expectedFailure
    @pytest.mark.perf(scenario="strict")
    def test_case_fails_at_once_as_expected(self):
        raise ValueError

    @pytest.mark.perf(scenario="strict")
    def test_case_fails_at_once(self):
        raise ValueError("no catalogue")

    @pytest.mark.perf(scenario="strict")
    def test_case_loads_nothing(self):
        pass

class TestOfNothing(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        raise unittest.SkipTest("not here")

    @pytest.fixture(autouse=True)
    def _keep(self, load):
        self.load = load

    @pytest.mark.perf(scenario="strict")
    def test_case_of_a_skipped_class(self):
        pass

@pytest.mark.skip
@pytest.mark.perf(scenario="strict")
def test_skipped(load):
    load([Reader], shape=SHAPE)

@pytest.mark.xfail(run=False, reason="hangs")
@pytest.mark.perf(scenario="strict")
def test_not_run(load):
    load([Reader], shape=SHAPE)

@pytest.mark.perf(scenario="strict")
def test_gives_up(load):
    pytest.xfail("not ready")

@pytest.mark.xfail
@pytest.mark.perf(scenario="strict")
def test_expected_to_break(load):
    load([Reader], shape=SHAPE)
"""
LIMITS = """
strict: {total: {max_ms: 0.001}}
lenient: {total: {max_ms: 60000}}
"""
HIDDEN = (
    "test_skips_after_a_breach",
    "test_skips_as_unittest_does_after_a_breach",
    "test_skips_after_a_breach_that_it_caught",
    "test_whose_fixture_skips_after_a_breach",
    "test_case_skips_after_a_breach",
)


@pytest.fixture(scope="module")
def session(new_suite):
    suite = new_suite().write(TESTS, LIMITS)
    return suite.run("--perf-json=report.json", "--junitxml=junit.xml", "-rA")


def verdicts(session):
    """Verdicts by the name of the test, without that of its class."""
    found = {}
    for run in session.runs:
        found.setdefault(run["test"].rpartition("::")[2], []).append(run["verdict"])
    return found


@pytest.mark.parametrize("test", HIDDEN)
def test_a_skip_hides_no_breach_that_came_before_it(session, test):
    case = session.cases[test]
    told = [found for kind in ("failure", "error") if (found := case.find(kind)) is not None]

    assert verdicts(session)[test] == ["fail"]
    assert len(told) == 1
    assert told[0].text.startswith("strict: 1 check failed:")
    assert "Traceback" not in told[0].text


def test_a_skip_after_a_good_run_is_a_skip(session):
    for test in ("test_skips_after_a_good_run", "test_case_skips_after_a_good_run"):
        assert verdicts(session)[test] == ["pass"]
        assert [child.tag for child in session.cases[test] if child.tag in {"skipped", "failure", "error"}] == [
            "skipped"
        ]


def test_what_was_never_to_be_loaded_is_no_run(session):
    others = {"test_skips_after_a_good_run", "test_case_skips_after_a_good_run", "test_expected_to_break"}

    assert set(verdicts(session)) == {*HIDDEN, *others, "test_case_fails_at_once", "test_case_loads_nothing"}


def test_a_case_of_unittest_that_loads_nothing_is_an_invalid_run_with_its_reason(session):
    reasons = {run["test"].rpartition("::")[2]: run["reasons"] for run in session.runs if run["verdict"] == "invalid"}

    assert reasons == {
        "test_case_fails_at_once": ["no samples: ValueError: no catalogue"],
        "test_case_loads_nothing": ["no samples: the test made no load run"],
    }
    assert "5 failed, 7 skipped, 4 xfailed, 2 errors in" in session.output.splitlines()[-1]
