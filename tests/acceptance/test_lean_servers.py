"""`LeanHttpUser` and httpx get the same answers from the same servers."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tailgate.stack import Nginx, Process, Sandbox, http_answers
from tests.acceptance.lean_users import lean_client

ROOT = Path(__file__).parents[2]
APP = "tests.acceptance.http_app:app"
COMMANDS = {
    "uvicorn-h11": ["-m", "uvicorn", "--http", "h11", "--port", "{port}", "--log-level", "warning", APP],
    "uvicorn-httptools": ["-m", "uvicorn", "--http", "httptools", "--port", "{port}", "--log-level", "warning", APP],
    "granian": ["-m", "granian", "--interface", "asgi", "--port", "{port}", "--no-ws", APP],
}
SERVERS = [*COMMANDS, "nginx"]
CHANGES = ("date", "server", "connection", "keep-alive", "transfer-encoding", "content-length")
"""Headers that are the server's business and differ from answer to answer, or say only how the body was sent."""

REQUESTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "get": ("GET", "/echo/x?a=1&b=%20", {}),
    "params": ("GET", "/echo", {"params": {"a": "1 2", "b": ["x", "y"]}}),
    "unicode": ("GET", "/echo/ü/%C3%BC", {}),
    "headers": ("GET", "/echo", {"headers": {"X-One": "1", "x-two": "2"}}),
    "basic": ("GET", "/echo", {"auth": ("me", "secret")}),
    "json": ("POST", "/echo", {"json": {"a": [1, 2.5, None, True], "b": "c"}}),
    "form": ("POST", "/echo", {"data": {"a": "1 2", "b": "x"}}),
    "nothing": ("POST", "/echo", {}),
    "put": ("PUT", "/echo", {"data": b"\x00\x01"}),
    "patch": ("PATCH", "/echo", {"json": []}),
    "delete": ("DELETE", "/echo", {}),
    "options": ("OPTIONS", "/echo", {}),
    "large body": ("POST", "/echo", {"data": b"x" * 900_000}),
    "head": ("HEAD", "/length", {}),
    "head of chunks": ("HEAD", "/chunks", {}),
    "chunks": ("GET", "/chunks", {}),
    "length": ("GET", "/length", {}),
    "big": ("GET", "/big/3000000", {}),
    "gzip": ("GET", "/encoded/gzip", {}),
    "deflate": ("GET", "/encoded/deflate", {}),
    "brotli": ("GET", "/encoded/br", {}),
    "204": ("GET", "/status/204", {}),
    "304": ("GET", "/status/304", {}),
    "404": ("GET", "/status/404", {}),
    "503": ("POST", "/status/503", {}),
    "cookies": ("GET", "/cookies", {}),
    "redirect": ("GET", "/redirect/302/echo/there?x=1", {}),
    "redirected post": ("POST", "/redirect/303/echo", {"json": {"a": 1}}),
    "kept post": ("POST", "/redirect/307/echo", {"json": {"a": 1}}),
    "kept put": ("PUT", "/redirect/308/redirect/307/echo", {"data": b"abc"}),
    "not redirected": ("GET", "/redirect/301/echo", {"allow_redirects": False}),
}


@pytest.fixture(scope="module")
def urls() -> Iterator[dict[str, str]]:
    """Yield the base URL of each server."""
    with Sandbox() as sandbox:
        processes = {}
        for name, arguments in COMMANDS.items():
            port = sandbox.port()
            argv = [sys.executable, *(argument.format(port=port) for argument in arguments)]
            ready = http_answers(f"http://127.0.0.1:{port}/echo")
            processes[name] = Process(sandbox, name, argv, cwd=ROOT, port=port, ready=ready).start()
        nginx = Nginx(sandbox, list(processes.values())[:1], health_path="/echo").start()
        for process in [*processes.values(), nginx]:
            process.wait_ready()
        yield {name: f"http://127.0.0.1:{process.port}" for name, process in [*processes.items(), ("nginx", nginx)]}


@pytest.fixture(scope="module", params=SERVERS)
def clients(request: pytest.FixtureRequest, urls: dict[str, str]) -> Iterator[tuple[Any, httpx.Client]]:
    """Yield both clients of one server; each keeps its connections and cookies."""
    url = urls[request.param]
    with lean_client(url) as lean, httpx.Client(base_url=url, trust_env=False) as other:
        yield lean, other


@pytest.mark.parametrize("name", REQUESTS)
def test_both_get_the_same(clients, name):
    lean, other = clients
    method, path, options = REQUESTS[name]
    ours = lean.request(method, path, **options)
    theirs = other.request(method, path, **_options_of_httpx(options))
    assert ours.status_code == theirs.status_code
    assert (ours.content, ours.text) == (theirs.content, theirs.text)
    assert _constant(ours.headers) == _constant(theirs.headers)
    assert ours.url == str(theirs.url).replace("/ü", "/%C3%BC")
    assert ours.ok is (theirs.status_code < 400)


def test_one_connection_carried_them_all(clients):
    lean, _ = clients
    for _ in range(50):
        assert lean.post("/echo", json={"a": 1}).json()["method"] == "POST"
    assert len(lean._transport._pool._idle) == 1
    assert [len(idle) for idle in lean._transport._pool._idle.values()] == [1]


def _options_of_httpx(options: dict[str, Any]) -> dict[str, Any]:
    """Return the same options in the words of httpx."""
    theirs = {"follow_redirects": options.get("allow_redirects", True)}
    for name, value in options.items():
        if name == "data" and isinstance(value, bytes):
            headers = {"content-type": "application/octet-stream"}
            theirs |= {"content": value, "headers": headers}
        elif name == "data":
            headers = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
            theirs |= {"data": value, "headers": headers}
        elif name == "json":
            headers = {"accept": "application/json", "content-type": "application/json"}
            theirs |= {"content": json.dumps(value).encode(), "headers": headers}
        elif name != "allow_redirects":
            theirs[name] = value
    return theirs


def _constant(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items() if name.lower() not in CHANGES}
