"""nginx before a service that does not run: what it takes, and what its log says, is its own."""

import contextlib
import http.client
import resource
import socket
import tempfile
import time
from pathlib import Path

import pytest

from tailgate.errors import TailgateError
from tailgate.stack import Nginx, Process, Sandbox, Stack
from tailgate.stack.nginx import TEMPLATE


@pytest.fixture
def sandbox():
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def nginx(sandbox):
    return start(sandbox)


def start(sandbox, **options):
    nobody = Process(sandbox, "nobody", ["true"], port=sandbox.port())
    nginx = Nginx(sandbox, [nobody], **options).start()
    # Without a service there is no page that is answered with 200, but the log can be had as soon as nginx runs.
    wait_listening(nginx)
    return nginx


def wait_listening(nginx):
    while nginx.is_running:
        try:
            return ask(nginx, "/")
        except ConnectionRefusedError:
            continue
    raise AssertionError(nginx.log_tail())


def ask(nginx, path):
    connection = http.client.HTTPConnection(nginx.address, timeout=20)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def test_paths_of_any_bytes_are_in_the_log_one_a_line(nginx):
    since = nginx.access_log_position()
    for path in ("/caf%E9", "/a%E2%80%A8b", "/x%C2%85y", "/caf%C3%A9"):
        ask(nginx, path)
    uris = [entry.uri for entry in nginx.access_log_entries(since)]
    assert uris == ["/caf\ufffd", "/a\u2028b", "/x\u0085y", "/café"]


def test_an_nginx_that_does_not_answer_is_told_as_what_it_is(nginx, sandbox):
    nobody = sandbox.port()
    nginx.port = nobody
    with pytest.raises(TailgateError, match=r"^nginx did not answer, so its access log is not complete: .*refused"):
        nginx.access_log_position()


def test_a_temporary_directory_may_have_a_space_in_its_name(monkeypatch):
    # Not in tmp_path, which the account that nginx runs as under root cannot reach.
    with tempfile.TemporaryDirectory(prefix="with a space; {and more} ") as folder:
        Path(folder).chmod(0o755)
        monkeypatch.setattr(tempfile, "tempdir", folder)
        with Sandbox() as sandbox:
            assert sandbox.directory.parent == Path(folder)
            assert ask(start(sandbox), "/") == http.client.BAD_GATEWAY


@contextlib.contextmanager
def begun_requests(nginx, count):
    """Have requests under way, so that nginx cannot end their connections to make room for others."""
    with contextlib.ExitStack() as exits:
        for _ in range(count):
            exits.enter_context(socket.create_connection(("127.0.0.1", nginx.port), timeout=20)).sendall(b"G")
        yield


@pytest.fixture
def many_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 8192:
        pytest.skip(f"this system allows no more than {hard} open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 8192), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_files")
def test_thousands_of_requests_at_once_are_taken(nginx):
    stack = Stack(url=nginx.url, nginx=nginx)
    with begun_requests(nginx, 2500):
        assert ask(nginx, "/") == http.client.BAD_GATEWAY
    assert stack.check_alive() == []


def test_it_may_have_as_many_files_as_the_system_allows(sandbox):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        nginx = start(sandbox)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    limits = Path(f"/proc/{nginx.pid}/limits").read_text().splitlines()
    (allowed,) = [line.split()[3] for line in limits if line.startswith("Max open files")]
    assert allowed == (str(hard) if hard != resource.RLIM_INFINITY else "unlimited")


@pytest.mark.parametrize(
    ("directive", "few", "told"),
    [
        ("worker_connections 16384", "worker_connections 20", "20 worker_connections are not enough"),
        ("worker_rlimit_nofile 18432", "worker_rlimit_nofile 20", "24: "),  # and then what the C library calls it
    ],
)
def test_an_nginx_that_had_too_few_connections_is_held_against_the_run_once(sandbox, tmp_path, directive, few, told):
    text = TEMPLATE.read_text()
    assert directive in text
    template = tmp_path / "few.conf"
    template.write_text(text.replace(directive, few))
    nginx = start(sandbox, template=template)
    stack = Stack(url=nginx.url, nginx=nginx)
    assert stack.check_alive() == []
    with begun_requests(nginx, 30):
        deadline = time.monotonic() + 20
        while told not in nginx.log_tail():
            assert time.monotonic() < deadline
            time.sleep(0.01)
    stack.kill("nginx")  # it writes no more
    (shortage,) = stack.check_alive()
    assert shortage.startswith(f"nginx had no room for every connection ({told}")
    assert shortage.endswith(
        "), which is not the service's fault; have fewer requests at once, or give it a template and a system that "
        "allow more"
    )
    assert stack.check_alive() == []
