"""Reports are written whatever is in them, and one that cannot be takes no other with it."""

import pytest

from tailgate.cli import main

REPORTS = ("--perf-json=report.json", "--perf-summary=summary.md", "--junitxml=junit.xml")
ODD_COUNTERS = """
    from decimal import Decimal

    @pytest.mark.perf
    def test_decimal(load):
        load.observe(lambda: lambda run: {"stock": Decimal("1500")})
        load([Reader], shape=SHAPE)

    @pytest.mark.perf
    def test_text(load):
        load.observe(lambda: lambda run: {"stock": "n/a"})
        load([Reader], shape=SHAPE)
"""


def test_a_counter_of_any_kind_leaves_every_report_whole(suite):
    suite.write(ODD_COUNTERS, "decimal: {counters: {stock: {max: 1500}}}\ntext: {total: {failure_ratio: 0}}")
    session = suite.run(*REPORTS)

    assert session.status == 1, session.output
    (decimal,), (text,) = session.runs_of("test_decimal"), session.runs_of("test_text")
    assert (decimal["verdict"], decimal["counters"]["stock"]) == ("pass", 1500)
    reason = "counters could not be computed: TypeError: counter 'stock': 'n/a', wanted a number"
    assert (text["verdict"], text["reasons"]) == ("invalid", [reason])
    assert session.properties("test_decimal")["tailgate.decimal.counter.stock"] == "1500.0"
    assert "stock" in (suite.directory / "summary.md").read_text()
    assert "PASS decimal: 1 check" in session.output


@pytest.mark.parametrize("broken", ["reports.summary.render_markdown", "reports.terminal.render_run"])
def test_a_report_that_raises_takes_no_other_with_it(suite, broken):
    suite.write("@pytest.mark.perf\ndef test_it(load):\n    load([Reader], shape=SHAPE)", "it: {total: {max_ms: 5000}}")
    module, _, name = broken.rpartition(".")
    suite.put("conftest.py", f"import tailgate.{module}\ntailgate.{module}.{name} = lambda *_, **__: 1 / 0\n")
    session = suite.run(*REPORTS)

    assert "INTERNALERROR" not in session.output
    assert session.verdicts() == {"test_it": ["pass"]}
    assert session.properties("test_it")["tailgate.it.verdict"] == "pass"
    if name == "render_run":
        assert "ERROR: it: cannot be shown: ZeroDivisionError: division by zero" in session.output
        assert "## " in (suite.directory / "summary.md").read_text()
    else:
        assert session.status == 4
        assert "ERROR: the summary could not be written: ZeroDivisionError: division by zero" in session.output
        assert "PASS it: 1 check" in session.output


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--perf-json=r.out", "--perf-summary=./r.out"], "--perf-summary: {here}/r.out is the file of --perf-json"),
        (
            ["--perf-json=r.out", "--junitxml=sub/../r.out"],
            "--junitxml: {here}/sub/../r.out is the file of --perf-json",
        ),
        (
            ["--perf-summary=link/r.out", "--perf-json=sub/r.out"],
            "--perf-summary: {here}/link/r.out is the file of --per",
        ),
        (["--perf-json=thresholds.yaml"], "--perf-json: {here}/thresholds.yaml is the file of the thresholds"),
        (
            ["--perf-thresholds=other.yaml", "--junitxml=other.yaml"],
            "--junitxml: {here}/other.yaml is the file of the ",
        ),
    ],
    ids=["two", "junit", "link", "thresholds", "other"],
)
def test_reports_that_would_overwrite_one_another_or_the_limits_are_refused(pytester, run_here, args, said):
    pytester.makepyfile("def test_it(): pass")
    (pytester.path / "sub").mkdir()
    (pytester.path / "link").symlink_to("sub")
    (pytester.path / "thresholds.yaml").write_text("mine")
    result = run_here(*args)
    assert result.ret == 4
    assert f"ERROR: {said.format(here=pytester.path)}" in result.stderr.str()
    assert (pytester.path / "thresholds.yaml").read_text() == "mine"
    assert not list(pytester.path.glob("**/r.out"))


def test_a_summary_of_github_that_is_the_json_report_is_refused(pytester, run_here, monkeypatch):
    pytester.makepyfile("def test_it(): pass")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(pytester.path / "r.out"))
    result = run_here("--perf-json=r.out")
    assert result.ret == 4
    assert f"$GITHUB_STEP_SUMMARY: {pytester.path}/r.out is the file of --perf-json as well" in result.stderr.str()


def test_a_device_takes_several_reports(pytester, run_here):
    pytester.makepyfile("def test_it(): pass")
    assert run_here("--perf-json=/dev/null", "--perf-summary=/dev/null", "--junitxml=junit.xml").ret == 0


def test_a_path_that_cannot_be_is_told_as_what_it_is(pytester, run_here):
    pytester.makepyfile("def test_it(): pass")
    result = run_here(f"--perf-json={'r' * 300}", "--perf-summary=s.md")
    assert result.ret == 4
    assert "the JSON report cannot be written there: File name too long" in result.stderr.str()


def test_what_is_recovered_is_not_written_to_one_file_twice(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["recover", "--json=r.out", "--summary=./r.out"]) == 3
    assert "tailgate recover: --summary: r.out is the file of --json as well" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
