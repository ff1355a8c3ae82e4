"""Installing the plugin leaves everybody else's tests as they are."""

import re

import pytest

from tests.plugin.suites import ROOT

OTHERS = """
    import asyncio, os, select, ssl, subprocess, sys, threading
    import pytest

    REAL = (threading.Thread.start, threading.Lock, select.epoll, ssl.SSLContext)

    def test_nothing_heavy_is_imported():
        heavy = {"locust", "gevent", "numpy", "jsonschema", "geventhttpclient", "filelock", "psutil", "yaml"}
        assert not heavy & {name.split(".")[0] for name in sys.modules}

    def test_locust_is_imported_unpatched():
        import locust
        from gevent import monkey
        assert not monkey.is_module_patched("socket")
        assert REAL == (threading.Thread.start, threading.Lock, select.epoll, ssl.SSLContext)
        loop = asyncio.new_event_loop()
        assert "gevent" not in type(loop._selector).__module__
        loop.close()
        assert locust.__spec__.name == "locust" and locust.__file__ and locust.__path__

    def test_the_environment_has_no_trace_of_it():
        code = "import os; print([name for name in os.environ if 'LOCUST' in name or 'TAILGATE' in name])"
        assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\\n"
"""


def test_a_session_without_load_tests_has_nothing_of_locust_in_it(suite):
    suite.put("test_others.py", OTHERS)
    session = suite.run("-W", "error", "-v")
    assert session.status == 0, session.output
    assert "3 passed" in session.output
    assert "load runs" not in session.output
    assert "tailgate" in session.output, "loaded through its entry point"


def test_load_tests_live_beside_asyncio_threads_and_requests(new_suite):
    pytest.importorskip("pytest_asyncio")
    pytest.importorskip("requests")
    suite = new_suite().write(
        """
        import requests, ssl, asyncio, threading

        def ask():
            assert requests.get(Reader.host).text == "/"
            ssl.create_default_context()

        async def pause():
            await asyncio.gather(asyncio.to_thread(ask), asyncio.sleep(0.01))

        def test_before():
            ask()

        @pytest.mark.asyncio
        async def test_asyncio_before():
            await pause()

        @pytest.mark.perf
        def test_load(load):
            load([Reader], shape=SHAPE)
            ask()
            assert load([Reader], shape=SHAPE).check().verdict == "pass"

        @pytest.mark.asyncio
        async def test_asyncio_after():
            await pause()
            thread = threading.Thread(target=ask)
            thread.start()
            thread.join()

        @pytest.mark.asyncio
        @pytest.mark.perf("load")
        async def test_load_within_asyncio(load):
            load([Reader], shape=SHAPE)
        """,
        "load: {total: {failure_ratio: 0}}",
    )
    object.__setattr__(suite, "without", ("hypothesispytest",))  # In any order, too.
    session = suite.run(
        "-W", "error", "-o", "asyncio_default_fixture_loop_scope=function", "--perf-json=report.json", "-x", "-s"
    )
    assert "5 passed" in session.output, session.output
    assert session.status == 0
    assert session.verdicts() == {"test_load": ["pass", "pass"], "test_load_within_asyncio": ["pass"]}


@pytest.mark.parametrize("listing", ["--help", "--fixtures", "--markers"])
def test_all_options_fixtures_and_markers_of_ours_have_the_prefix(run_here, pytester, listing):
    def names(result):
        return set(re.findall(r"(?m)^ *(--?[a-z][\w-]*|@pytest\.mark\.\w+|[a-z_]\w* -- )", result.stdout.str()))

    added = names(run_here(listing)) - names(pytester.runpytest_inprocess("-ppytest_locust.plugin", listing))
    assert added
    assert all(re.match(r"--perf-|load -- |perf_|@pytest\.mark\.perf$", name) for name in added), added


def test_the_same_process_runs_session_after_session(run_here, pytester):
    pytester.makepyfile(
        """
        import pytest

        def test_passes(): pass

        @pytest.mark.perf
        def test_browse(load):
            pass
        """
    )
    (pytester.path / "thresholds.yaml").write_text("scenarios: {browse: {total: {p95_ms: 250}}}")
    for _ in range(2):
        result = run_here("--perf-json=report.json")
        result.assert_outcomes(passed=1, failed=1)
        assert (pytester.path / "report.json").read_text().count('"verdict": "invalid"') == 1


def test_whoever_adds_host_to_pytest_is_told_how(run_here, pytester):
    pytester.makeconftest("def pytest_addoption(parser): parser.addoption('--host', '-H')")
    pytester.makepyfile("def test_host(pytestconfig): assert pytestconfig.getoption('host') == 'here'")
    result = run_here("--host=here")
    assert result.ret == 4
    expected = "ERROR: a conftest.py adds the option --host, which Locust's pytest plugin has added already; "
    (line,) = result.stderr.str().splitlines()
    assert line.startswith(f"{expected}turn that plugin off with -p no:locust")


def test_without_locusts_plugin_host_belongs_to_whoever_adds_it(suite):
    suite.put("conftest.py", "def pytest_addoption(parser): parser.addoption('--host', '-H')")
    suite.put("test_host.py", "def test_host(pytestconfig): assert pytestconfig.getoption('host') == 'here'")
    session = suite.run("-p", "no:locust", "-H", "here")
    assert session.status == 0, session.output


def test_a_plugin_loaded_before_locusts_keeps_its_host(suite):
    suite.put("others.py", "def pytest_addoption(parser): parser.addoption('--host', '-H')")
    suite.put("test_host.py", "def test_host(pytestconfig): assert pytestconfig.getoption('host') == 'here'")
    session = suite.run("-p", "others", "-H", "here", PYTHONPATH=f"{suite.directory}:{ROOT}")
    assert session.status == 0, session.output
