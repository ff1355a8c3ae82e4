"""No request of `LeanHttpUser` takes longer than it may, whatever it waits for."""

from __future__ import annotations

import socket
import time
from contextlib import contextmanager

import gevent
import pytest

from tailgate.engine.lean.errors import RequestTimeout
from tests.acceptance.byte_server import OK, Say, always, say
from tests.acceptance.lean_users import lean_client

SLOW = [b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n", *[b"x"] * 1000]


@contextmanager
def full_queue():
    """Yield the URL of a server that takes no further connections, and refuses none."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for waiting in (first, second):
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def timed_out(client, *args, **options) -> str:
    """Send a request and return the text of its timeout."""
    began = time.monotonic()
    response = client.request("GET", *args, **options)
    took_s = time.monotonic() - began
    assert isinstance(response.error, RequestTimeout)
    assert response.error.seconds - 0.001 <= took_s < response.error.seconds + 0.8
    assert client.events[-1]["response_time"] == pytest.approx(1000 * took_s, abs=50)
    return str(response.error)


@pytest.mark.parametrize("pieces", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n1"])
def test_an_answer_that_does_not_come_or_end_is_given_up(pieces):
    with say([Say(), Say(pieces, "hang")], always()) as server, lean_client(server.url) as client:
        assert client.get("/1").ok
        assert timed_out(client, "/2", timeout=0.1) == "no complete answer within 0.1 s"
        assert client.get("/3").text == "ok"
        assert server.connections == 2


def test_an_answer_that_drips_in_is_given_up_at_the_end_of_its_time():
    with say([Say(SLOW)]) as server, lean_client(server.url, network_timeout=0.1) as client:
        assert timed_out(client, "/", timeout=0.3) == "no complete answer within 0.3 s"


def test_a_server_that_falls_silent_is_given_up():
    with say([Say(SLOW[:30], "hang")]) as server, lean_client(server.url, network_timeout=0.2) as client:
        response = client.get("/")
        assert str(response.error) == "no byte from the server within 0.2 s"
        assert 0.2 <= response.took_s < 1


def test_a_server_that_takes_its_time_to_receive_is_not_silent():
    to_slow = b"HTTP/1.1 307 There\r\nlocation: /slow\r\ncontent-length: 0\r\n\r\n"
    served = [Say(to_slow), Say(reads_after_s=0.8)]
    with say(served) as server, lean_client(server.url, network_timeout=0.5) as client:
        assert client.put("/fast", data=b"x" * 30_000_000).text == "ok"
        assert server.lines == ["PUT /fast", "PUT /slow"]


def test_a_server_that_falls_silent_after_a_redirect_is_given_up():
    moved = b"HTTP/1.1 302 There\r\nlocation: /2\r\ncontent-length: 0\r\n\r\n"
    with say([Say(moved), Say(b"", "hang")]) as server, lean_client(server.url, network_timeout=0.2) as client:
        assert str(client.get("/1").error) == "no byte from the server within 0.2 s"


def test_the_class_limits_the_time_of_a_request():
    with say([Say(b"", "hang")]) as server, lean_client(server.url, request_timeout=0.1) as client:
        assert timed_out(client, "/") == "no complete answer within 0.1 s"


def test_the_run_limits_the_time_of_a_request():
    with say([Say(b"", "hang")]) as server, lean_client(server.url) as client:
        client.tracker.timeout_s = 0.1
        assert timed_out(client, "/", timeout=3) == "no complete answer within 0.1 s"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_connection_that_does_not_come_about_is_given_up(scheme):
    with full_queue() as address, lean_client(f"{scheme}://{address}", connection_timeout=0.1) as client:
        assert timed_out(client, "/") == "no connection within 0.1 s"


def test_a_server_that_does_not_agree_on_tls_is_given_up():
    with say([Say(b"", "hang", is_deaf=True)]) as server:
        url = server.url.replace("http:", "https:")
        with lean_client(url, connection_timeout=0.1) as client:
            assert timed_out(client, "/") == "no connection within 0.1 s"


def test_an_upload_that_gets_stuck_is_given_up():
    with say([Say(b"", "hang", is_deaf=True)]) as server, lean_client(server.url) as client:
        assert timed_out(client, "/", data=b"x" * 30_000_000, timeout=0.2) == "no complete answer within 0.2 s"


def test_a_late_deadline_does_not_hold_for_later_requests():
    pieces = [OK[:10], OK[10:]]
    with say([Say(pieces)] * 1000) as server, lean_client(server.url, request_timeout=0.2) as client:
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            assert client.get("/").ok


def test_each_greenlet_has_a_deadline_of_its_own():
    with say([Say(b"", "hang")]) as server, lean_client(server.url) as client:
        jobs = [gevent.spawn(client.get, "/", timeout=seconds) for seconds in (0.3, 0.1, 0.2)]
        gevent.joinall(jobs)
        assert [job.value.error.seconds for job in jobs] == [0.3, 0.1, 0.2]
