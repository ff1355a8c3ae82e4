"""nginx in front of two instances: who gets which request, how often, and what the log says."""

import http.client
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tailgate.errors import TailgateError
from tailgate.stack import Nginx, Process, Sandbox, Stack, http_answers

SERVICE = Path(__file__).with_name("small_service.py")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def stack(sandbox: Sandbox) -> Stack:
    shops = {}
    for name in ("shop-1", "shop-2"):
        port = sandbox.port()
        argv = [sys.executable, str(SERVICE), name, str(port), str(sandbox.directory / "notes")]
        shops[name] = Process(sandbox, name, argv, port=port, ready=http_answers(f"http://127.0.0.1:{port}/")).start()
    nginx = Nginx(sandbox, list(shops.values())).start()
    stack = Stack(url=nginx.url, services=shops, nginx=nginx)
    stack.wait_ready()
    return stack


@pytest.fixture
def all_running(stack: Stack) -> Iterator[Stack]:
    """Bring back what a test killed, and let nginx forget it: by itself it needs one to two seconds."""
    yield stack
    for name in stack.services:
        stack.start(name)
    stack.restart("nginx")
    stack.wait_ready()


def ask(
    stack: Stack, method: str, path: str, *, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, str]:
    connection = http.client.HTTPConnection(stack.nginx.address, timeout=20)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def instances_that_got(sandbox: Sandbox, request: str) -> list[str]:
    """Return the instances that noted ``METHOD path``, in order."""
    notes = (line.split(" by ") for line in (sandbox.directory / "notes").read_text().splitlines())
    return [by for noted, by in notes if noted == request]


@pytest.mark.parametrize(
    ("method", "status", "attempts"),
    [("GET", 200, 2), ("HEAD", 200, 2), ("POST", 502, 1), ("PATCH", 502, 1), ("PUT", 502, 1), ("DELETE", 502, 1)],
)
def test_only_what_changes_nothing_is_sent_again_when_an_instance_dies(all_running, sandbox, method, status, attempts):
    stack = all_running
    path = f"/first-hangs/{method}"
    since = stack.nginx.access_log_position()
    answers = []
    body = None if method in {"GET", "HEAD"} else b"{}"
    thread = threading.Thread(target=lambda: answers.append(ask(stack, method, path, body=body)))
    thread.start()
    while not (got := instances_that_got(sandbox, f"{method} {path}")):
        assert thread.is_alive(), answers
        time.sleep(0.01)
    stack.kill(got[0])
    thread.join()
    assert answers[0][0] == status
    assert len(instances_that_got(sandbox, f"{method} {path}")) == attempts
    (entry,) = stack.nginx.access_log_entries(since)
    assert (entry.method, entry.uri, entry.status) == (method, path, status)
    assert len(entry.upstreams) == attempts
    assert entry.upstreams[0] == stack.services[got[0]].address
    assert entry.upstream_statuses == (("502", "200") if attempts == 2 else ("502",))


def test_a_post_that_was_never_sent_goes_to_the_instance_that_lives(all_running):
    all_running.kill("shop-1")
    answers = [ask(all_running, "POST", "/buy", body=b"x" * 10) for _ in range(6)]
    assert [(status, text.split()[0]) for status, text in answers] == [(200, "shop-2")] * 6


def test_an_instance_that_came_back_is_used_again(all_running):
    all_running.kill("shop-1")
    assert {ask(all_running, "GET", "/")[0] for _ in range(4)} == {200}
    all_running.start("shop-1").wait_ready()
    deadline = time.monotonic() + 10
    while ask(all_running, "GET", "/")[1].split()[0] != "shop-1":
        assert time.monotonic() < deadline


def test_a_body_reaches_the_instance_whichever_way_the_request_takes(stack):
    for method in ("POST", "PUT", "DELETE"):
        status, text = ask(stack, method, "/body", body=b"x" * 300_000)
        assert (status, text.split()[2]) == (200, "300000")


def test_requests_are_spread_over_both_instances(stack):
    assert {ask(stack, "GET", "/who")[1].split()[0] for _ in range(4)} == {"shop-1", "shop-2"}


def test_a_request_id_is_passed_on_and_logged(stack):
    since = stack.nginx.access_log_position()
    assert ask(stack, "PUT", "/id?x=1", headers={"X-Request-Id": "abc-1"})[1].split()[1] == "abc-1"
    made_up = ask(stack, "GET", "/id")[1].split()[1]
    entries = stack.nginx.access_log_entries(since)
    assert [(entry.method, entry.uri, entry.request_id) for entry in entries] == [
        ("PUT", "/id", "abc-1"),
        ("GET", "/id", made_up),
    ]
    assert all(entry.upstream_durations_s[0] is not None for entry in entries)
    assert entries[0].at_s <= entries[1].at_s


def test_every_request_is_in_the_log_as_soon_as_it_is_asked_for(stack):
    since = stack.nginx.access_log_position()
    for _ in range(50):
        ask(stack, "GET", "/counted")
    assert [entry.uri for entry in stack.nginx.access_log_entries(since)] == ["/counted"] * 50
    assert stack.nginx.access_log_entries(stack.nginx.access_log_position()) == ()


def test_the_version_is_not_told(stack):
    connection = http.client.HTTPConnection(stack.nginx.address, timeout=20)
    connection.request("GET", "/")
    assert connection.getresponse().getheader("Server") == "nginx"
    connection.close()


def test_several_workers_serve_and_log(stack, sandbox):
    nginx = Nginx(sandbox, list(stack.services.values()), name="nginx-2", workers=2)
    with nginx:
        nginx.wait_ready()
        assert nginx.access_log_position() > 0
        assert nginx.log.read_text() == ""
    with pytest.raises(TailgateError, match=r"^nginx-2 does not run, so its access log is not complete$"):
        nginx.access_log_entries()
