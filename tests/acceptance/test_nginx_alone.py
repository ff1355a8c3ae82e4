"""nginx before a service that does not run: what it takes, and what its log says, is its own."""

import http.client
import tempfile
from pathlib import Path

import pytest

from tailgate.errors import TailgateError
from tailgate.stack import Nginx, Process, Sandbox


@pytest.fixture
def sandbox():
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def nginx(sandbox):
    return start(sandbox)


def start(sandbox):
    nobody = Process(sandbox, "nobody", ["true"], port=sandbox.port())
    nginx = Nginx(sandbox, [nobody]).start()
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
