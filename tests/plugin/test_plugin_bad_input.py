"""Bad options, limits and markers: one message, exit code 4, before anything starts."""

import os
from pathlib import Path

import pytest

LIGHT = """
    import pytest

    @pytest.mark.perf
    def test_browse(load):
        raise AssertionError("must not run")
"""
LIMITS = "scenarios: {browse: {total: {p95_ms: 250}}}"


@pytest.fixture
def refuse(pytester, run_here):
    """Run pytest here, in this process; it must end with exit code 4 and the message that is returned."""

    def run(*args, limits=LIMITS, tests=LIGHT):
        pytester.makepyfile(tests)
        if limits is not None:
            (pytester.path / "thresholds.yaml").write_bytes(limits if isinstance(limits, bytes) else limits.encode())
        result = run_here(*args)
        assert result.ret == 4
        assert "INTERNALERROR" not in result.stdout.str()
        assert "Traceback" not in result.stderr.str()
        assert "must not run" not in result.stdout.str()
        message = result.stderr.str().removeprefix("ERROR: ").strip()
        assert message.splitlines()[0] not in result.stdout.str()
        return message

    return run


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (None, "thresholds.yaml: no such file, looked for "),
        ("", "thresholds.yaml:1: the file is empty"),
        ("# only a remark\n", "thresholds.yaml:1: the file is empty"),
        ("- browse\n", "thresholds.yaml:1: $"),
        ("just text", "thresholds.yaml:1: $"),
        (
            "scenarios: {browse: {total: {p95_ms: 250}, total: {p99_ms: 500}}}",
            "thresholds.yaml:1: $.scenarios.browse.total",
        ),
        ("scenarios: {browse: {total: {p95_ms: fast}}}", "$.scenarios.browse.total.p95_ms"),
        ("scenarios: {browse: {total: {p95_ms: .nan}}}", "$.scenarios.browse.total.p95_ms"),
        ("scenarios: {browse: {total: {p95_ms: .inf}}}", "$.scenarios.browse.total.p95_ms"),
        ("scenarios: {browse: {total: {p95_ms: -1}}}", "$.scenarios.browse.total.p95_ms"),
        ("scenarios: {browse: {total: {failure_ratio: 5}}}", "$.scenarios.browse.total.failure_ratio"),
        ("scenarios: {browse: {total: {p950_ms: 5}}}", "$.scenarios.browse.total"),
        ("scenarios: {browse: {totl: {p95_ms: 5}}}", "did you mean 'total'?"),
        ("scenarios: {browse: {total: [}}", "thresholds.yaml:1: "),
        (b"scenarios: {\xff: 1}", "thresholds.yaml:1: byte 0xff is not UTF-8"),
    ],
)
def test_a_thresholds_file_that_cannot_be_used_is_refused_at_collection(refuse, limits, said):
    assert said in refuse(limits=limits)


def test_all_mistakes_of_a_file_are_told_at_once(refuse):
    message = refuse(limits="scenarios:\n  browse:\n    total:\n      p95_ms: -1\n      failure_ratio: lots\n")
    assert [line.split(": ")[0] for line in message.splitlines()] == ["thresholds.yaml:4", "thresholds.yaml:5"]


def test_an_unreadable_thresholds_path_is_refused(refuse):
    assert "is a directory" in refuse("--perf-thresholds=.")
    assert refuse("--perf-thresholds=none/such.yaml").startswith("none/such.yaml: no such file")


def test_an_unknown_scenario_is_refused_with_the_nearest_one(refuse):
    tests = (
        LIGHT
        + """
    @pytest.mark.perf(scenario=["browse", "brwose"])
    def test_other(load):
        raise AssertionError("must not run")
    """
    )
    (line,) = refuse(tests=tests).splitlines()
    assert line.partition("::")[2] == (
        "test_other: scenario 'brwose' is not in thresholds.yaml; did you mean 'browse'? scenarios there: browse"
    )


def test_a_scenario_that_no_test_has_is_refused(refuse):
    limits = "scenarios:\n  browse: {total: {p95_ms: 250}}\n  brwose: {total: {p95_ms: 250}}\n"
    expected = "thresholds.yaml:3: $.scenarios.brwose: no test has this scenario; did you mean 'browse'? "
    assert refuse(limits=limits) == expected + "scenarios of tests: browse"
    assert refuse("--perf-check", limits=limits) == expected + "scenarios of tests: browse"
    assert refuse("--perf-check", ".", limits=limits) == expected + "scenarios of tests: browse"


@pytest.mark.parametrize(
    "marker", ["perf(scenario=3)", "perf(scenario=[])", "perf(scenarios='browse')", "perf('browse', 'buy')"]
)
def test_a_marker_that_says_something_else_is_refused(refuse, marker):
    assert f"::test_browse: {marker}, wanted perf(scenario=NAME)" in refuse(
        tests=LIGHT.replace("pytest.mark.perf", f"pytest.mark.{marker}")
    )


@pytest.mark.parametrize("scale", ["0", "-1", "nan", "inf", "ten", ""])
def test_a_time_scale_that_stretches_nothing_is_refused(refuse, scale):
    assert refuse(f"--perf-time-scale={scale}") == f"--perf-time-scale: {scale!r}, wanted a positive number"


@pytest.mark.parametrize(
    "stack",
    ["kubernetes", "localhost:8080", "ftp://127.0.0.1", "http://", "http://[::1", "http://h:0", "http://h:http", ""],
)
def test_a_stack_that_is_none_is_refused(refuse, stack):
    assert refuse(f"--perf-stack={stack}").startswith(f"--perf-stack: {stack!r}, wanted embedded, docker, or a URL")


@pytest.mark.parametrize("path", [".", "test_file.py/report.json", "/proc/nowhere/report.json"])
def test_a_report_that_could_not_be_written_is_refused_before_any_test(refuse, pytester, path):
    (pytester.path / "test_file.py").touch()
    assert refuse(f"--perf-json={path}").startswith("--perf-json: ")


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_directory_that_must_not_be_written_to_is_refused(refuse, pytester):
    (pytester.path / "closed").mkdir(mode=0o500)
    assert "Permission denied" in refuse("--perf-json=closed/report.json")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_told_once_at_the_end(pytester, run_here):
    pytester.makepyfile("def test_something(): pass")
    result = run_here("--perf-json=/dev/full")
    assert result.ret == 4
    assert (
        result.stdout.str().count("ERROR: /dev/full: the JSON report could not be written: No space left on device")
        == 1
    )
    result.assert_outcomes(passed=1)


def test_missing_directories_of_the_report_are_made(pytester, run_here):
    pytester.makepyfile("def test_something(): pass")
    assert run_here("--perf-json=a/b/report.json").ret == 0
    assert '"runs": []' in (pytester.path / "a/b/report.json").read_text()
