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
