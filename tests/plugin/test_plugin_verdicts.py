"""What becomes of a run: the same verdict in the exit code, on the terminal, in JUnit and in the JSON report."""

import re
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

TESTS = """
    @pytest.mark.perf
    def test_pass(load):
        load([Reader], shape=SHAPE)

    @pytest.mark.perf
    def test_warn(load):
        assert load([Reader], shape=SHAPE).check().verdict == "warn"

    @pytest.mark.perf
    def test_breach_in_the_body(load):
        load([Reader], shape=SHAPE).check()
        raise RuntimeError("not reached")

    @pytest.mark.perf(scenario="breach")
    def test_breach_at_the_end(load):
        load([Reader], shape=SHAPE)

    @pytest.mark.perf(scenario="breach")
    def test_fails_by_itself(load):
        load([Reader], shape=SHAPE)
        assert 2 + 2 == 5

    class Mortal(Reader):
        def on_start(self):
            raise ValueError("no catalogue")

    @pytest.mark.perf
    def test_invalid(load):
        load([Mortal], shape=SHAPE)

    @pytest.mark.perf("pass")
    def test_never_loads(load):
        pass

    @pytest.mark.perf("pass")
    def test_fails_before_it_loads(load):
        assert load is None

    @pytest.mark.perf("pass")
    def test_is_skipped(load):
        pytest.skip("not today")

    @pytest.fixture
    def stack():
        from tailgate import StackNotReady
        raise StackNotReady(service="nginx", url="http://127.0.0.1:1/", waited_s=1, last_error="no", log_tail="boom")

    @pytest.mark.perf("pass")
    def test_has_no_stack(stack, load):
        load([Reader], shape=SHAPE)

    @pytest.mark.perf("pass")
    def test_has_no_licence(load):
        pytest.fail("the licence ran out")

    @pytest.mark.perf(scenario=["pass", "breach"])
    def test_several(load):
        load([Reader], shape=SHAPE, scenario="breach")
        load([Reader], shape=SHAPE, scenario="pass").check()
        load([Reader], shape=SHAPE, scenario="pass")

    @pytest.mark.perf
    def test_counters(load):
        load.observe(lambda: lambda run: {"twice": 2 * run.counters["reads"]})
        run = load([Reader], shape=SHAPE)
        with pytest.raises(AssertionError, match="late"):
            run.check()
        run.with_counters({"late": 7}).check()

    @pytest.mark.perf("breach")
    def test_books_cannot_be_read(load):
        def end(run):
            raise OSError("the database is gone")
        load.observe(lambda: end)
        load([Reader], shape=SHAPE)

    @pytest.fixture
    def warmed(load):
        load([Reader], shape=SHAPE)
        yield
        load([Reader], shape=SHAPE)

    @pytest.mark.perf("breach")
    def test_fixture_loads(warmed):
        pass

    @pytest.mark.parametrize("users", [1, 2])
    @pytest.mark.perf("pass")
    def test_each(load, users, request):
        request.node.user_properties.append(("mine", users))
        load([Reader], shape=[Stage(name="only", duration_s=0.5, users=users)])

    def test_other():
        assert True
"""

LIMITS = """
      pass: {total: {failure_ratio: 0}}
      warn: {total: {mean_ms: {max: 0.001, severity: warn}, failure_ratio: 0}}
      breach_in_the_body: {total: {max_ms: 0.01, mean_ms: 0.0001, failure_ratio: 0}}
      breach: {total: {mean_ms: 0.001}}
      invalid: {total: {failure_ratio: 0}}
      counters: {counters: {twice: {min: 2}, late: {max: 7}}}
"""

VERDICTS = {
    "test_pass": ["pass"],
    "test_warn": ["warn"],
    "test_breach_in_the_body": ["fail"],
    "test_breach_at_the_end": ["fail"],
    "test_fails_by_itself": ["fail"],
    "test_invalid": ["invalid"],
    "test_never_loads": ["invalid"],
    "test_fails_before_it_loads": ["invalid"],
    "test_has_no_stack": ["invalid"],
    "test_has_no_licence": ["invalid"],
    "test_several": ["fail", "pass", "pass"],
    "test_counters": ["pass"],
    "test_books_cannot_be_read": ["invalid"],
    "test_fixture_loads": ["fail", "fail"],
    "test_each[1]": ["pass"],
    "test_each[2]": ["pass"],
}
PASSING = {"test_pass", "test_warn", "test_counters", "test_each[1]", "test_each[2]", "test_other"}


@pytest.fixture(scope="module", params=[(), ("-n", "2")], ids=["alone", "xdist"])
def session(request, new_suite):
    if request.param:
        pytest.importorskip("xdist")
    suite = new_suite().write(TESTS, LIMITS)
    return suite.run("-W", "error", "--perf-json=report.json", "--junitxml=junit.xml", "-rA", *request.param)


def test_each_run_has_its_verdict_in_the_json_report(session):
    assert session.verdicts() == VERDICTS, session.output


def test_a_breach_and_an_invalid_run_fail_their_tests_and_nothing_else_does(session):
    assert session.status == 1
    bad = {
        name
        for name, case in session.cases.items()
        if case.find("failure") is not None or case.find("error") is not None
    }
    assert bad == set(VERDICTS) - PASSING
    assert "10 failed, 6 passed, 1 skipped, 2 errors in" in session.output.splitlines()[-1]


def test_the_message_of_a_breach_names_every_failed_check_worst_first(session):
    failure = session.failure("test_breach_in_the_body")
    first, second, third = failure.text.splitlines()
    assert first == "breach_in_the_body: 2 checks failed:"
    assert re.fullmatch(r"  - total: mean \d+\.\d ms breaks <= 0\.0001 ms \(n = \d+; thresholds\.yaml:8\)", second)
    assert re.fullmatch(r"  - total: max \d+\.\d ms breaks <= 0\.01 ms \(n = \d+; thresholds\.yaml:8\)", third)


def test_a_failure_shows_our_message_and_no_traceback_of_ours(session):
    for name in ("test_breach_in_the_body", "test_breach_at_the_end", "test_invalid", "test_never_loads"):
        failure = session.failure(name)
        assert failure.text in session.output
        assert "Traceback" not in failure.text
        assert ".py:" not in failure.text


def test_an_invalid_run_says_why(session):
    text = session.failure("test_invalid").text
    assert text.startswith("invalid: invalid run, it cannot be judged:")
    assert "no samples: not one request was made" in text
    assert "ValueError: no catalogue (x2)" in text
    assert session.failure("test_never_loads").text.splitlines()[1:] == ["  - no samples: the test made no load run"]


def test_an_assertion_of_the_test_stays_its_failure_and_its_run_is_judged_all_the_same(session):
    assert "assert (2 + 2) == 5" in session.failure("test_fails_by_itself").text
    assert session.properties("test_fails_by_itself")["tailgate.breach.verdict"] == "fail"


def test_a_load_test_that_failed_before_any_load_is_an_invalid_run_with_its_reason(session):
    (run,) = session.runs_of("test_fails_before_it_loads")
    assert run["reasons"][0].startswith("no samples: AssertionError: ")
    (run,) = session.runs_of("test_has_no_stack")
    assert run["reasons"] == [
        "no samples: StackNotReady: service 'nginx' not ready after 1.0 s (http://127.0.0.1:1/: no)"
    ]
    (run,) = session.runs_of("test_has_no_licence")
    assert run["reasons"] == ["no samples: the licence ran out"]
    error = session.cases["test_has_no_stack"].find("error").text
    assert error.splitlines() == [
        "service 'nginx' not ready after 1.0 s (http://127.0.0.1:1/: no)",
        "  nginx | boom",
    ]


def test_what_observers_and_the_test_itself_add_is_judged_and_reported(session):
    (run,) = session.runs_of("test_counters")
    assert run["counters"]["twice"] == 2 * run["counters"]["reads"] > 0
    assert run["counters"]["late"] == 7
    assert [check["outcome"] for check in run["checks"]] == ["pass", "pass"]


def test_a_run_whose_books_cannot_be_read_is_reported(session):
    text = session.failure("test_books_cannot_be_read").text
    assert "counters could not be computed: OSError: the database is gone" in text
    assert session.properties("test_books_cannot_be_read")["tailgate.breach.verdict"] == "invalid"


def test_junit_has_the_figures_as_properties(session):
    (run,) = session.runs_of("test_pass")
    properties = session.properties("test_pass")
    assert properties["tailgate.pass.verdict"] == "pass"
    assert properties["tailgate.pass.request.GET Read.samples"] == str(run["requests"]["GET Read"]["samples"])
    assert properties["tailgate.pass.counter.reads"] == str(run["counters"]["reads"])
    assert session.properties("test_each[2]")["mine"] == "2"
    assert not session.properties("test_other")


def test_the_terminal_has_a_table_a_run_and_a_line_of_verdict(session):
    lines = session.output.splitlines()
    assert "GET Read" in session.output
    assert "19 load runs: 6 pass, 1 warn, 6 fail, 6 invalid" in lines
    assert sum(line.startswith("PASS pass: 1 check, ") for line in lines) == 5
    assert sum(line.startswith("WARN warn: 2 checks, 1 warning, ") for line in lines) == 1


def test_loads_run_one_at_a_time(session):
    spans = []
    for run in session.runs:
        if not run["duration_s"]:
            continue  # A test that never came to load waited for nobody.
        start = datetime.fromisoformat(run["started_at"])
        spans.append((start, start + timedelta(seconds=run["duration_s"])))
    spans.sort()
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
