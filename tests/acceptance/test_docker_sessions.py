"""``--perf-stack=docker`` with a compose file of one's own: it works, says what is wrong, and leaves nothing."""

from __future__ import annotations

import re
import secrets
import shutil
import signal

import pytest

from tests.acceptance.docker_sessions import (
    COMPOSE,
    CONFTEST,
    PATIENCE_S,
    ROOT,
    SERVE,
    left_of,
    running_pytest,
    wait_gone,
    wait_while_running,
)
from tests.plugin.suites import DEFAULTS

TESTS = """
import pathlib, time, urllib.request

def test_that_lasts(perf_compose_stack):
    with urllib.request.urlopen(perf_compose_stack.url) as answer:
        assert answer.status == 200
    pathlib.Path("started").touch()
    time.sleep(60)

def test_that_fails(perf_compose_stack):
    assert perf_compose_stack.url is None
"""


@pytest.fixture
def project():
    """The name of a project of which nothing may be left."""
    name = f"tailgate-test-{secrets.token_hex(6)}"
    yield name
    assert left_of(name) == []


@pytest.fixture
def suite(tmp_path):
    """A directory with a small compose file and tests that use it."""
    for name, text in {"compose.yaml": COMPOSE, "conftest.py": CONFTEST, "test_it.py": TESTS}.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def run(directory, *arguments, **env):
    """Run pytest to its end; return its exit code and what it wrote, in one line since its lines are wrapped."""
    with running_pytest(directory, *arguments, **env) as session:
        code = session.wait(timeout=PATIENCE_S)
    return code, " ".join((directory / "output").read_text().split())


@pytest.mark.docker
def test_the_example_in_the_docs_works_as_it_stands_there(tmp_path):
    page = (ROOT / "docs" / "docker.md").read_text()
    files = dict(re.findall(r"<!-- ([\w.]+) -->\n```\w+\n(.*?)```", page, flags=re.DOTALL))
    assert set(files) == {"compose.yaml", "conftest.py", "test_shop.py"}
    limits = DEFAULTS + "  shop: {total: {failure_ratio: 0}}\n"
    for name, text in {**files, "thresholds.yaml": limits}.items():
        (tmp_path / name).write_text(text)
    with running_pytest(tmp_path, "-m", "perf") as session:
        assert session.wait(timeout=PATIENCE_S) == 0, (tmp_path / "output").read_text()
    assert "PASS shop" in (tmp_path / "output").read_text()
    assert left_of(f"pytest{session.pid}") == []


@pytest.mark.docker
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_when_pytest_gets(number, suite, project):
    with running_pytest(suite, "-k", "lasts", PROJECT=project) as session:
        wait_while_running(session, (suite / "started").exists)
        assert len(left_of(project)) == 3
        session.send_signal(number)
        session.wait(timeout=PATIENCE_S)
    wait_gone(project)


@pytest.mark.docker
def test_nothing_is_left_when_pytest_is_killed_while_compose_waits(suite, project):
    (suite / "compose.yaml").write_text(COMPOSE.replace("port=8000", "port=8001"))
    with running_pytest(suite, "-k", "lasts", PROJECT=project) as session:
        wait_while_running(session, lambda: any(one.startswith("container") for one in left_of(project)))
    wait_gone(project)


@pytest.mark.docker
def test_a_container_that_does_not_become_healthy_is_named_with_the_end_of_its_log(suite, project):
    unhealthy = COMPOSE.replace("port=8000", "port=8001") + "# never answers where it is asked\n"
    (suite / "compose.yaml").write_text(unhealthy.replace("interval: 1s", "interval: 200ms\n      retries: 2"))
    code, output = run(suite, "-k", "fails", PROJECT=project)
    assert code == 1
    assert re.search(r"service 'shop' not ready after \d+\.\d s \(docker compose up: unhealthy: .*refused", output)
    assert "shop | shop opens" in output
    assert "Traceback (most recent call last)" not in output


@pytest.mark.docker
def test_a_container_that_ends_is_named_with_its_exit_code(suite, project):
    (suite / "compose.yaml").write_text(COMPOSE.replace(SERVE, "raise SystemExit(3)"))
    code, output = run(suite, "-k", "fails", PROJECT=project)
    assert code == 1
    assert "(docker compose up: exited with code 3) shop | shop opens" in output


@pytest.mark.docker
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ("image: python:3.13-slim", "image: tailgate/no-such-image:1"),
            "not here: tailgate/no-such-image:1; is it named right, and can its registry be reached?",
        ),
        (("services:", "servces:"), "servces"),
        (("shop:\n", "store:\n"), "entry service 'shop': wanted NAME or NAME:PORT with one of the containers: store"),
    ],
)
def test_a_compose_file_that_cannot_be_used_ends_the_session(suite, project, change, message):
    (suite / "compose.yaml").write_text(COMPOSE.replace(*change, 1))
    code, output = run(suite, "-k", "fails", PROJECT=project)
    assert code == pytest.ExitCode.USAGE_ERROR
    assert "Exit: --perf-stack: " in output
    assert message in output


@pytest.mark.docker
def test_a_compose_file_that_is_not_there_ends_the_session(suite, project):
    (suite / "compose.yaml").unlink()
    code, output = run(suite, "-k", "fails", PROJECT=project)
    assert code == pytest.ExitCode.USAGE_ERROR
    assert f"{suite}/compose.yaml: no such compose file" in output


def test_without_a_daemon_the_session_ends_with_a_usage_error(suite):
    if shutil.which("docker") is None:
        pytest.skip("there is no docker command")
    code, output = run(suite, "-k", "fails", PROJECT="none", DOCKER_HOST="tcp://127.0.0.1:1")
    assert code == pytest.ExitCode.USAGE_ERROR
    assert "--perf-stack: no Docker daemon answers at tcp://127.0.0.1:1 (" in output
    assert "start it, set DOCKER_HOST, or use --perf-stack=embedded, which needs none" in output


def test_without_pytest_docker_the_message_says_what_to_install(suite):
    code, output = run(suite, "-k", "fails", "-p", "no:docker", PROJECT="none")
    assert code == pytest.ExitCode.USAGE_ERROR
    assert "--perf-stack=docker needs pytest-docker: pip install 'pytest-tailgate[docker]'" in output


def test_options_and_plugins_do_not_collide_with_pytest_docker(suite):
    code, output = run(suite, "-p", "docker", "--help")
    assert code == 0
    assert "--container-scope" in output
    assert "--perf-stack" in output


def test_a_worker_of_xdist_fails_its_tests_with_the_message(suite):
    code, output = run(suite, "-n1", PROJECT="none", PATH="/nowhere")
    assert code == 1
    assert output.count("--perf-stack: there is no docker command on the PATH; install Docker, or use") >= 2
    assert "2 errors" in output
