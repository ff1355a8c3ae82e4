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


FORGOTTEN = """
    import pytest

    @pytest.mark.perf
    def test_one(load): assert load is None

    @pytest.mark.perf("one")
    def test_by_name(): pass

    @pytest.mark.perf
    def test_two(): pass

    @pytest.mark.perf
    def test_sorts_fast(): pass

    @pytest.mark.perf(rounds=3)
    def test_of_somebody_else(): pass
"""


def test_a_test_with_a_scenario_that_does_not_use_load_is_refused(run_here, pytester, limit):
    limit("one", "two")
    pytester.makepyfile(test_it=FORGOTTEN)
    advice = "does not use the fixture load, so it loads nothing; add load to its arguments, or mark it otherwise"

    for args in ((), ("test_it.py",), ("test_it.py", "--perf-check")):
        result = run_here(*args)
        assert result.ret == 4
        assert result.stderr.str().splitlines()[:2] == [
            f"ERROR: test_it.py::test_by_name: is marked perf for scenario one, but {advice}",
            f"test_it.py::test_two: is marked perf for scenario two, but {advice}",
        ]
    assert "$.scenarios.two: no test has this scenario" in run_here().stderr.str()
    run_here("test_it.py", "-W", "default", "-k", "test_one or sorts").assert_outcomes(failed=1, passed=1)


def test_a_marked_test_without_scenario_that_does_not_use_load_is_a_warning(run_here, pytester, limit):
    limit("one")
    pytester.makepyfile(test_it=FORGOTTEN.replace('("one")', ""))

    result = run_here("-W", "default")
    result.assert_outcomes(failed=1, passed=4)
    said = [line.split(": ")[2] for line in result.outlines if "is marked perf, but does not use the fixture" in line]
    assert said == ["test_it.py::test_by_name", "test_it.py::test_two", "test_it.py::test_sorts_fast"]
    result = run_here("-W", "error:test_it.py")
    assert result.ret == 4
    assert "ERROR: test_it.py::test_by_name: is marked perf, but does not use" in result.stderr.str()


def test_what_somebody_else_marks_perf_is_left_alone_without_load_tests(run_here, pytester):
    pytester.makepyfile(test_it=FORGOTTEN.replace("(load): assert load is None", "(): pass"))

    run_here("-W", "error:test_it.py").assert_outcomes(passed=5)


def test_a_marked_module_or_class_may_have_other_tests(run_here, pytester, limit):
    limit("one")
    pytester.makepyfile("""
        import pytest

        pytestmark = pytest.mark.perf

        def test_one(load): assert load is None

        def test_the_catalogue_is_whole(): pass

        @pytest.mark.perf
        class TestMore:
            def test_more(self): pass
    """)

    run_here("-W", "error:test_it.py").assert_outcomes(failed=1, passed=2)
