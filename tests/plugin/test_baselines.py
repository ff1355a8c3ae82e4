"""Runs are saved, and judged beside saved ones; every place where a verdict stands says the same."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

FILE = Path(".tailgate", "baselines", "default", "one.json")
REPORTS = ("--perf-json=report.json", "--junitxml=junit.xml", "--perf-summary=summary.md")
TEST = """
    class Slow(FastHttpUser):
        host = Reader.host
        wait_time = constant(0.01)

        @task
        def read(self):
            self.client.get("{path}", name="Read")

    @pytest.mark.perf
    def test_one(load):
        load([Slow], shape=Stages(Stage(name="only", duration_s=0.4, users=2)))
"""
"""A request takes 30 ms, and now and then a little longer: nothing that was saved here is near that by chance."""
LIMITS = "one: {total: {failure_ratio: 0}}"
OTHER_RULES = "one: {{total: {{failure_ratio: 0}}, baseline: {{{rules}}}}}"


def write(suite, limits=LIMITS):
    return suite.write(TEST.replace("{path}", f"/delay/30{suite.prefix}/ok"), limits)


@pytest.fixture(scope="module")
def saved(new_suite):
    """A suite, and its first session, which saved a run."""
    suite = write(new_suite())
    return suite, suite.run("-W", "error", "--perf-save", *REPORTS)


def runs_in(suite, file=FILE):
    return json.loads((suite.directory / file).read_text())["runs"]


def history_of(suite, *p95_ms) -> None:
    """Write runs that differ from the saved one by when they began, and by how long requests took."""
    path = suite.directory / FILE
    document = json.loads(path.read_text())
    text, newest = json.dumps(document["runs"][0]), datetime.fromisoformat(document["runs"][0]["started_at"])
    runs = [json.loads(text) for _ in p95_ms]
    for number, (run, value) in enumerate(zip(reversed(runs), p95_ms, strict=True), start=1):
        run["started_at"] = (newest - number * timedelta(hours=1)).isoformat()
        for series in (run["total"], run["requests"]["GET Read"]):
            # So low a throughput that no run of a test is worse.
            series["summary"] |= {"p50_ms": value, "p95_ms": value, "throughput_rps": 1.0}
    path.write_text(json.dumps(document | {"runs": runs}))


@pytest.fixture
def copy(saved, new_suite):
    """A suite of its own, with the load of the saved run and a copy of its file."""
    suite = new_suite()
    for name in ("test_load.py", "thresholds.yaml", FILE):
        (suite.directory / name).parent.mkdir(parents=True, exist_ok=True)
        (suite.directory / name).write_text((saved[0].directory / name).read_text())
    return suite


# Saving


def test_a_run_that_passed_is_saved_and_the_terminal_says_where(saved):
    suite, session = saved
    assert session.status == 0, session.output
    assert f"one: saved as baseline 'default' in {FILE}" in session.output.splitlines()
    (run,) = runs_in(suite)
    (record,) = session.runs
    assert (run["scenario"], run["verdict"], run["started_at"]) == ("one", "pass", record["started_at"])
    assert run["total"]["summary"]["samples"] == record["total"]["samples"]
    assert record["comparison"] == []
    assert session.properties("test_one")["tailgate.one.verdict"] == "pass"


def test_what_is_saved_is_listed_without_a_load(saved, run_here):
    suite, _ = saved
    requests = suite.requests()
    listed = run_here("--perf-list", f"--rootdir={suite.directory}", str(suite.directory))
    assert listed.ret == 0
    titles, line = listed.outlines
    assert titles.split() == ["name", "scenario", "runs", "newest", "commit", "p95", "spread"]
    assert line.split()[:3] == ["default", "one", "1"]
    assert suite.requests() == requests


def test_a_list_says_what_to_do_where_nothing_is_saved_and_what_cannot_be_read(run_here, pytester):
    assert run_here("--perf-list").outlines == ["no baselines are saved; save one with --perf-save"]
    path = pytester.path / FILE
    path.parent.mkdir(parents=True)
    path.write_text("{")
    listed = run_here("--perf-list")
    assert listed.ret == 0
    assert listed.outlines[0].startswith(f"unusable: {FILE}: broken: not JSON")


NOT_SAVED = """
    @pytest.mark.perf
    def test_good(load):
        load([Reader], shape=SHAPE)

    @pytest.mark.perf
    def test_breach(load):
        load([Reader], shape=SHAPE)

    class Mortal(Reader):
        def on_start(self):
            raise ValueError("no catalogue")

    @pytest.mark.perf
    def test_invalid(load):
        load([Mortal], shape=SHAPE)

    @pytest.mark.perf
    def test_own_assertion(load):
        load([Reader], shape=SHAPE).check()
        assert 2 + 2 == 5

    @pytest.fixture
    def leaving():
        yield
        raise OSError("cannot clean up")

    @pytest.mark.perf
    def test_teardown(leaving, load):
        load([Reader], shape=SHAPE)

    @pytest.mark.xfail(reason="known", strict=False)
    @pytest.mark.perf
    def test_expected(load):
        load([Reader], shape=SHAPE).check()
        assert 2 + 2 == 5

    @pytest.mark.perf
    def test_never_loads(load):
        pass
"""
NOT_SAVED_LIMITS = """
    good: {total: {failure_ratio: 0}}
    breach: {total: {mean_ms: 0.001}}
    invalid: {total: {failure_ratio: 0}}
    own_assertion: {total: {failure_ratio: 0}}
    teardown: {total: {failure_ratio: 0}}
    expected: {total: {failure_ratio: 0}}
    never_loads: {total: {failure_ratio: 0}}
"""


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_what_did_not_pass_is_not_saved_and_the_terminal_says_why(suite, workers):
    if workers:
        pytest.importorskip("xdist")
    suite.write(NOT_SAVED, NOT_SAVED_LIMITS)
    session = suite.run("--perf-save", *workers)
    assert session.status == 1
    told = sorted(line for line in session.output.splitlines() if "saved" in line)
    assert [line.partition(" (n = ")[0].partition(" ms breaks")[0] for line in told] == [
        told[0].partition(" ms breaks")[0],
        "expected: not saved: test_load.py::test_expected did not pass",
        f"good: saved as baseline 'default' in {FILE.with_name('good.json')}",
        told[3],
        "never_loads: not saved: the run is invalid: no samples: the test made no load run",
        "own_assertion: not saved: test_load.py::test_own_assertion did not pass",
        "teardown: not saved: test_load.py::test_teardown did not pass",
    ]
    assert told[0].startswith("breach: not saved: the run failed: total: mean ")
    assert told[3].startswith("invalid: not saved: the run is invalid: ")
    assert [path.name for path in (suite.directory / FILE.parent).iterdir()] == ["good.json"]


def test_a_file_that_breaks_during_the_session_costs_no_other_its_save(suite):
    suite.write(
        """
        import pathlib

        @pytest.mark.perf
        def test_one(load):
            load([Reader], shape=SHAPE)
            path = pathlib.Path(".tailgate/baselines/main/one.json")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("{")

        @pytest.mark.perf
        def test_two(load):
            load([Reader], shape=SHAPE)
        """,
        "one: {total: {failure_ratio: 0}}\ntwo: {total: {failure_ratio: 0}}",
    )
    session = suite.run("--perf-save=main")
    assert session.status == 4
    assert "ERROR: .tailgate/baselines/main/one.json: broken: not JSON" in session.output
    assert "two: saved as baseline 'main' in .tailgate/baselines/main/two.json" in session.output
    assert (suite.directory / ".tailgate/baselines/main/one.json").read_text() == "{"
    assert "Traceback" not in session.output


# Comparing


def test_beside_one_saved_run_a_run_only_warns_in_every_place(copy):
    session = copy.run("-W", "error", "--perf-compare", *REPORTS)
    assert session.status == 0, session.output
    (run,) = session.runs
    assert run["verdict"] == "warn"
    head, *findings, sight = run["comparison"]
    assert head.startswith("one against baseline 'default': inconclusive; comparable with 1 saved run")
    assert any(text.startswith("warn: total: p95 inconclusive, ") for text in findings)
    assert sight.endswith("It sees almost nothing, and decides nothing: save 4 more with --perf-save, at other times.")
    assert "WARN one: 1 check, " in session.output
    assert "compared" in session.output
    assert "one against baseline 'default': inconclusive; comparable with 1 saved" in session.output
    assert session.failure("test_one") is None
    assert session.properties("test_one")["tailgate.one.verdict"] == "warn"
    assert session.properties("test_one")["tailgate.one.comparison.1"] == head
    summary = (copy.directory / "summary.md").read_text()
    assert "- compared: one against baseline 'default': inconclusive; comparable with 1 saved run" in summary
    assert "save 4 more with --perf-save, at other times." in summary
    assert len(runs_in(copy)) == 1


def assert_failed_in_every_place(session, first_line):
    """Look at the exit code, the terminal, JUnit, JSON and Markdown."""
    assert session.status == 1
    (run,) = session.runs
    assert run["verdict"] == "fail"
    text = session.failure("test_one").text
    assert text.splitlines()[0] == first_line
    assert text in session.output
    assert "FAIL one: 1 check, the comparison failed, " in session.output
    assert session.properties("test_one")["tailgate.one.verdict"] == "fail"
    assert "Load tests: fail" in (session.directory / "summary.md").read_text()
    assert "Traceback" not in session.output
    assert ".py:" not in text
    return text.splitlines()[1:]


def test_with_strict_an_open_question_fails_in_every_place_and_is_not_saved(copy):
    session = copy.run("--perf-compare", "--perf-save", "--perf-strict", *REPORTS)
    findings = assert_failed_in_every_place(session, "one: the comparison is inconclusive:")
    assert findings[0].startswith("  - total: p95 inconclusive, ")
    assert "one: not saved: the run failed: total: p95 inconclusive, " in session.output
    assert len(runs_in(copy)) == 1


def test_without_a_baseline_a_run_warns_and_with_strict_it_fails(suite):
    write(suite)
    session = suite.run("--perf-compare=main", "--perf-json=report.json")
    assert session.status == 0
    (run,) = session.runs
    assert run["verdict"] == "warn"
    assert run["comparison"] == [
        "one against baseline 'main': inconclusive; no run was saved yet",
        "It sees nothing: save runs of this very load on this machine with --perf-save first.",
    ]
    session = suite.run("--perf-compare=main", "--perf-strict", *REPORTS)
    assert_failed_in_every_place(session, "one: baseline 'main': no run was saved yet")
    assert not (suite.directory / ".tailgate").exists()


def test_five_saved_runs_can_show_a_regression_which_fails_in_every_place_and_is_not_saved(copy):
    history_of(copy, 10.0, 10.4, 9.8, 10.1, 9.9)
    session = copy.run("--perf-compare", "--perf-save", *REPORTS)
    findings = assert_failed_in_every_place(session, "one: regressed:")
    assert findings[0].startswith("  - total: p95 regressed, 10.0 ms -> ")
    assert "one: not saved: the run failed: total: p95 regressed, " in session.output
    assert len(runs_in(copy)) == 5


def test_an_improvement_passes_and_is_saved(copy):
    # Some twenty requests could not show that few of them fail.
    copy.limit(OTHER_RULES.format(rules="gates: {total: [p95_ms]}"))
    history_of(copy, 500.0, 510.0, 495.0, 505.0, 490.0)
    session = copy.run("--perf-compare", "--perf-save", "--perf-strict", "--perf-json=report.json")
    assert session.status == 0, session.output
    (run,) = session.runs
    assert run["verdict"] == "pass"
    assert any("total: p95 improved, 500 ms -> " in text for text in run["comparison"])
    assert len(runs_in(copy)) == 6


def test_another_load_is_not_compared_with(copy):
    test = copy.directory / "test_load.py"
    test.write_text(test.read_text().replace("users=2)))", "users=3)))"))
    session = copy.run("--perf-compare", "--perf-json=report.json")
    assert session.status == 0
    (run,) = session.runs
    assert run["verdict"] == "warn"
    assert run["comparison"][0] == (
        "one against baseline 'default': inconclusive; not comparable with 1 saved run: hashes.shape: another shape of "
        "load"
    )


def test_a_run_that_failed_by_itself_is_not_compared(copy):
    copy.limit("one: {total: {mean_ms: 0.001}}")
    session = copy.run("--perf-compare", "--perf-json=report.json")
    assert session.status == 1
    assert [run["comparison"] for run in session.runs] == [[]]


def test_the_old_state_is_read_before_the_new_one_is_written(copy):
    with (copy.directory / "test_load.py").open("a") as file:
        file.write('\n@pytest.mark.perf("one")\ndef test_again(load):\n    test_one(load)\n')
    session = copy.run("--perf-compare", "--perf-save", "--perf-json=report.json")
    assert session.status == 0
    assert [run["comparison"][0].partition("; ")[2].partition(" (")[0] for run in session.runs] == [
        "comparable with 1 saved run",
        "comparable with 1 saved run",
    ]
    assert len(runs_in(copy)) == 3


def test_workers_compare_and_the_controller_saves(copy):
    pytest.importorskip("xdist")
    with (copy.directory / "test_load.py").open("a") as file:
        file.write('\n@pytest.mark.perf("one")\ndef test_again(load):\n    test_one(load)\n')
    session = copy.run("-n", "2", "--perf-compare", "--perf-save", "--perf-json=report.json")
    assert session.status == 0, session.output
    assert {run["comparison"][0].partition("; ")[2].partition(" (")[0] for run in session.runs} == {
        "comparable with 1 saved run"
    }
    assert session.output.count("one: saved as baseline 'default'") == 2
    started = [run["started_at"] for run in runs_in(copy)]
    assert len(started) == 3
    assert set(started[1:]) == {run["started_at"] for run in session.runs}


# Rules of the thresholds file


@pytest.mark.parametrize(
    ("rules", "status", "verdict", "sentence"),
    [
        (
            "gates: {total: [p95_ms]}, severities: {regressed: info, request_regressed: info}",
            0,
            "pass",
            "info: total: p95 regressed, 10.0 ms -> ",
        ),
        ("gates: {GET Read: [throughput_rps]}", 0, "warn", "warn: total: p95 regressed, 10.0 ms -> "),
        ("severities: {request_regressed: fail}", 1, "fail", "fail: GET Read: p95 regressed, 10.0 ms -> "),
    ],
    ids=["severities", "gates", "information"],
)
def test_rules_of_the_scenario_decide(copy, rules, status, verdict, sentence):
    history_of(copy, 10.0, 10.4, 9.8, 10.1, 9.9)
    copy.limit(OTHER_RULES.format(rules=rules))
    session = copy.run("--perf-compare", "--perf-json=report.json")
    (run,) = session.runs
    assert (session.status, run["verdict"]) == (status, verdict)
    assert any(text.startswith(sentence) for text in run["comparison"]), run["comparison"]


def test_a_missing_baseline_may_fail_without_strict(suite):
    write(suite, OTHER_RULES.format(rules="severities: {no_baseline: fail}"))
    session = suite.run("--perf-compare", *REPORTS)
    assert_failed_in_every_place(session, "one: baseline 'default': no run was saved yet")


# What cannot be used


@pytest.mark.parametrize(
    ("option", "change", "reason"),
    [
        ("--perf-compare", lambda document: "{", "broken: not JSON: "),
        ("--perf-save", lambda document: json.dumps(document | {"runs": [{}]}), "broken: $.runs[0]: 'scenario' is a "),
        ("--perf-compare", lambda document: json.dumps(document | {"schema": 99}), "schema 99, written by tailgate "),
    ],
    ids=["no JSON", "no baseline", "newer"],
)
def test_a_file_that_cannot_be_used_is_one_error_before_any_load(copy, option, change, reason):
    path = copy.directory / FILE
    text = change(json.loads(path.read_text()))
    path.write_text(text)
    session = copy.run(option, *REPORTS)
    assert session.status == 1
    assert session.failure("test_one").text.startswith(f"{FILE}: {reason}")
    assert len(session.failure("test_one").text.splitlines()) == 1
    assert "Traceback" not in session.output
    (run,) = session.runs
    assert run["verdict"] == "invalid"
    assert run["reasons"][0].startswith(f"no samples: BaselineFileError: {FILE}: {reason}")
    assert copy.requests() == 0
    assert path.read_text() == text


@pytest.mark.parametrize("option", ["--perf-save", "--perf-compare"])
@pytest.mark.parametrize("name", ["", "../up", ".hidden", "a/b", "ü"])
def test_a_name_that_could_not_be_a_directory_everywhere_is_refused(run_here, option, name):
    refused = run_here(f"{option}={name}")
    assert refused.ret == 4
    refused.stderr.fnmatch_lines([f"ERROR: {option}: '*' cannot be the name of a baseline; wanted *"])


@pytest.mark.parametrize("option", ["--perf-save", "--perf-compare"])
@pytest.mark.parametrize("path", ["perf_tests", "test_x.py", "test_x.py::test_one"])
def test_a_path_behind_the_option_is_not_taken_for_its_name(run_here, pytester, option, path):
    pytester.mkdir("perf_tests")
    pytester.path.joinpath("test_x.py").touch()
    refused = run_here(option, path)
    assert refused.ret == 4
    refused.stderr.fnmatch_lines(
        [f"ERROR: {option}: took the path '{path}' for its name; give paths before it, or write {option}=NAME"]
    )
    assert run_here("perf_tests", option).ret == 5
    assert run_here(f"{option}=perf_tests", "perf_tests").ret == 5


def test_where_nothing_can_be_written_nothing_is_loaded(run_here, pytester):
    pytester.path.joinpath(".tailgate").touch()
    refused = run_here("--perf-save")
    assert refused.ret == 4
    refused.stderr.fnmatch_lines(
        ["ERROR: --perf-save: .tailgate/baselines/default: cannot be written: *; check the path and its permissions"]
    )
