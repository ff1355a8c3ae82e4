"""Reports are written whatever is in them, and one that cannot be takes no other with it."""

import pytest

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
