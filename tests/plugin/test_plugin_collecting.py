"""Which tests are load tests, and when a scenario without one is a mistake."""

import pytest

ONE = """
    import pytest

    @pytest.mark.perf
    def test_one(load): assert load is None
"""


@pytest.fixture
def limit(pytester):
    """Write a thresholds file with scenarios of these names."""

    def write(*names):
        limits = "".join(f"  {name}: {{total: {{p95_ms: 1}}}}\n" for name in names)
        (pytester.path / "thresholds.yaml").write_text(f"scenarios:\n{limits}")

    return write


@pytest.mark.parametrize("args", [(), ("test_marked.py",)])
def test_a_conftest_may_mark_load_tests(run_here, pytester, limit, args):
    limit("one")
    pytester.makeconftest("""
        import pytest

        def pytest_collection_modifyitems(items):
            for item in items:
                if "load" in item.fixturenames:
                    item.add_marker(pytest.mark.perf)
    """)
    pytester.makepyfile(test_marked="def test_one(load): assert load is None\ndef test_other(): pass")

    result = run_here("--perf-check", *args)
    assert result.ret == 0
    result.stdout.fnmatch_lines("thresholds.yaml: 1 scenario with 1 limit match 1 load test")
    result = run_here(*args)
    result.assert_outcomes(passed=1, failed=1)
    assert "assert <tailgate.loading.Load object" in result.stdout.str()


def test_a_test_that_a_conftest_leaves_out_has_its_scenario_all_the_same(run_here, pytester, limit):
    limit("one", "two")
    pytester.makeconftest("""
        def pytest_collection_modifyitems(items):
            items[:] = [item for item in items if item.name != "test_two"]
    """)
    pytester.makepyfile(test_two=ONE + ONE.replace("one", "two"))

    run_here().assert_outcomes(failed=1)


@pytest.mark.parametrize(
    "skip",
    [
        "import pytest; pytest.importorskip('no_such_module')",
        "import pytest; pytest.skip('not here', allow_module_level=True)",
        "import unittest; raise unittest.SkipTest('not here')",
    ],
)
def test_the_scenario_of_a_module_that_skips_itself_is_no_mistake(run_here, pytester, limit, skip):
    limit("one", "two")
    pytester.makepyfile(test_one=ONE, test_two=skip)

    run_here().assert_outcomes(failed=1, skipped=1)
    assert run_here("--perf-check").ret == 0


def test_a_skipped_test_has_its_scenario_and_excuses_no_other(run_here, pytester, limit):
    limit("one", "two", "three")
    skipped = "@pytest.mark.skip\n    @pytest.mark.perf"
    pytester.makepyfile(test_one=ONE, test_two=ONE.replace("one", "two").replace("@pytest.mark.perf", skipped))

    result = run_here()
    assert result.ret == 4
    assert "$.scenarios.three: no test has this scenario; scenarios of tests: one, two" in result.stderr.str()
