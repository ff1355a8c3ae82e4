"""Tests whose marker names several scenarios load each of them."""

import pytest

TESTS = """
    @pytest.mark.perf(["one", "two", "three"])
    def test_forgets_two(load):
        load([Reader], shape=SHAPE, scenario="one")

    @pytest.mark.perf(["one", "two"])
    def test_loads_both(load):
        load([Reader], shape=SHAPE, scenario="two")
        load([Reader], shape=SHAPE, scenario="one")

    @pytest.mark.parametrize("scenario", ["one", "two"])
    @pytest.mark.perf(["one", "two"])
    def test_each(load, scenario):
        load([Reader], shape=SHAPE, scenario=scenario)

    @pytest.mark.parametrize("scenario", ["one", "two"])
    @pytest.mark.perf(["one", "two"])
    def test_none(load, scenario):
        pass

    @pytest.mark.perf(["one", "two"])
    def test_fails_before_the_second(load):
        load([Reader], shape=SHAPE, scenario="one")
        raise RuntimeError("lost the catalogue")

    @pytest.mark.perf(["strict", "two"])
    def test_breaks_with_the_first(load):
        load([Reader], shape=SHAPE, scenario="strict").check()
        load([Reader], shape=SHAPE, scenario="two")

    @pytest.mark.perf(["one", "two"])
    def test_skips_before_the_second(load):
        load([Reader], shape=SHAPE, scenario="one")
        pytest.skip("seen enough")
"""
LIMITS = "".join(f"{name}: {{total: {{failure_ratio: 0}}}}\n" for name in ("one", "two", "three"))
STRICT = "strict: {total: {max_ms: 0.001}}\n"


@pytest.fixture(scope="module")
def session(new_suite):
    suite = new_suite().write(TESTS, LIMITS + STRICT)
    return suite.run("--perf-json=report.json", "--junitxml=junit.xml")


def test_a_scenario_that_was_never_loaded_is_an_invalid_run_by_its_name(session):
    assert [(run["scenario"], run["verdict"]) for run in session.runs_of("test_forgets_two")] == [
        ("one", "pass"),
        ("two", "invalid"),
        ("three", "invalid"),
    ]
    assert session.failure("test_forgets_two").text.splitlines() == [
        "two, three: invalid run, it cannot be judged:",
        "  - no samples: the test made no load run of this scenario, which its marker names",
    ]


def test_scenarios_that_were_all_loaded_pass_in_any_order(session):
    assert [(run["scenario"], run["verdict"]) for run in session.runs_of("test_loads_both")] == [
        ("two", "pass"),
        ("one", "pass"),
    ]


def test_each_test_of_several_parameters_loads_one_of_them_at_least(session):
    verdicts = session.verdicts()
    assert (verdicts["test_each[one]"], verdicts["test_each[two]"]) == (["pass"], ["pass"])
    assert verdicts["test_none[one]"] == ["invalid"]
    assert "the test made no load run" in session.failure("test_none[one]").text


def test_a_test_that_ended_before_has_no_second_message(session):
    assert "lost the catalogue" in session.failure("test_fails_before_the_second").text
    assert session.failure("test_breaks_with_the_first").text.startswith("strict: 1 check failed:")
    assert session.cases["test_skips_before_the_second"].find("skipped") is not None
    verdicts = session.verdicts()
    assert verdicts["test_fails_before_the_second"] == verdicts["test_skips_before_the_second"] == ["pass"]
    assert verdicts["test_breaks_with_the_first"] == ["fail"]
    assert "5 failed, 3 passed, 1 skipped in" in session.output.splitlines()[-1]
