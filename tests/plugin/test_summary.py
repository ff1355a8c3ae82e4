"""The Markdown summary of a session: where it goes, and when."""

import pytest

TESTS = """
    @pytest.mark.perf
    def test_good(load):
        load([Reader], shape=SHAPE)

    @pytest.mark.perf
    def test_bad(load):
        load([Unlucky], shape=SHAPE)

    def test_loads_nothing():
        pass
"""

LIMITS = """
    good: {total: {failure_ratio: 0}}
    bad: {total: {failure_ratio: 0}}
"""


@pytest.fixture
def loads(suite):
    return suite.write(TESTS, LIMITS)


def test_a_file_of_its_own_is_replaced(loads):
    loads.put("summary.md", "old")

    session = loads.run("--perf-summary=summary.md")

    text = (loads.directory / "summary.md").read_text("utf-8")
    assert session.status == 1
    assert text.startswith("<!-- tailgate -->\n\n## ❌ Load tests: fail\n\n2 load runs: 1 fail, 1 pass\n")
    assert "In test_load.py::test_bad\n\n- failed: total: failure_ratio 100 % breaks &lt;= 0 % (n = " in text


def test_the_file_of_github_is_appended_to(loads):
    shared = loads.directory / "step.md"
    shared.write_text("# A step before\n")

    loads.run("-k", "good", GITHUB_STEP_SUMMARY=str(shared))

    assert shared.read_text("utf-8").startswith("# A step before\n<!-- tailgate -->\n\n## ✅ Load tests: pass\n")


@pytest.mark.parametrize("args", [("-k", "nothing"), ("--perf-check",), ("-k", "good", "--perf-summary=")])
def test_the_file_of_github_is_left_alone_without_a_load_or_a_wish(loads, args):
    shared = loads.directory / "step.md"
    shared.write_text("before")

    assert loads.run(*args, GITHUB_STEP_SUMMARY=str(shared)).status == 0
    assert shared.read_text() == "before"


def test_a_file_of_its_own_says_that_nothing_was_loaded(loads):
    loads.run("-k", "nothing", "--perf-summary=summary.md")

    assert "nothing was loaded" in (loads.directory / "summary.md").read_text("utf-8")


def test_a_path_that_cannot_be_written_is_refused_before_any_load(loads):
    session = loads.run("--perf-summary=.")

    assert session.status == 4
    assert "--perf-summary: " in session.output
    assert "is a directory, wanted the path of a file for the summary" in session.output
    assert loads.requests() == 0


def test_a_stale_file_of_github_fails_only_a_session_that_has_something_to_say(loads):
    gone = str(loads.directory / "gone" / "step.md")

    assert loads.run("-k", "nothing", GITHUB_STEP_SUMMARY=gone).status == 0
    session = loads.run("-k", "good", GITHUB_STEP_SUMMARY=gone)

    assert session.status == 4
    assert "ERROR: " in session.output
    assert "the summary could not be written: No such file or directory" in session.output


def test_workers_write_nothing_the_controller_does(loads):
    loads.run("-n2", "--perf-summary=summary.md")

    assert "2 load runs: 1 fail, 1 pass" in (loads.directory / "summary.md").read_text("utf-8")
