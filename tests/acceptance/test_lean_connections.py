"""Connections of `LeanHttpUser`: when they are kept, when a request is sent again, and when it never is."""

from __future__ import annotations

import select
import socket
import threading

import gevent
import pytest

from tailgate.engine.lean import connection
from tailgate.engine.lean.answers import AnswerReader
from tailgate.engine.lean.errors import ConnectionClosed
from tests.acceptance.byte_server import OK, Say, always, answer, say
from tests.acceptance.lean_users import lean_client

GOOD_BYE = answer(connection="close")


def test_a_connection_is_kept():
    with say(always()) as server, lean_client(server.url) as client:
        assert [client.get("/1").text, client.post("/2", data="x").text, client.get("/3").text] == ["ok"] * 3
        assert (server.lines, server.connections) == (["GET /1", "POST /2", "GET /3"], 1)


def test_a_server_that_says_so_gets_a_new_connection():
    with say(always(GOOD_BYE)) as server, lean_client(server.url) as client:
        assert client.get("/").ok
        assert client.get("/").ok
        assert server.connections == 2


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("is_seen", [True, False])
def test_a_connection_that_the_server_has_closed_is_replaced_unseen(method, is_seen):
    with say([Say(then="close")], always()) as server, lean_client(server.url) as client:
        assert client.get("/first").ok
        if is_seen:
            gevent.sleep(0.01)
        assert client.request(method, "/second").ok
        assert (server.lines, server.connections) == (["GET /first", f"{method} /second"], 2)
        assert len(client.events) == 2


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_request_that_the_server_took_and_did_not_answer_is_not_sent_again(method):
    with say([Say(), Say(b"", "close")], always()) as server, lean_client(server.url) as client:
        assert client.get("/first").ok
        failed = client.request(method, "/second")
        assert isinstance(failed.error, ConnectionClosed)
        assert str(failed.error) == "the server closed the connection without an answer"
        assert server.lines == ["GET /first", f"{method} /second"]
        assert (failed.status_code, failed.content, failed.text, failed.ok) == (0, None, None, False)
        assert client.get("/third").ok


def test_a_reset_of_a_busy_connection_is_the_servers_own():
    with say([Say(), Say(b"", "reset")], always()) as server, lean_client(server.url) as client:
        assert client.get("/first").ok
        assert isinstance(client.get("/second").error, ConnectionResetError)
        assert server.lines == ["GET /first", "GET /second"]


@pytest.mark.parametrize(("method", "is_ok"), [("GET", True), ("PUT", True), ("POST", False), ("PATCH", False)])
def test_a_reset_of_an_idle_connection_has_an_idempotent_request_sent_again(monkeypatch, method, is_ok):
    monkeypatch.setattr(connection, "_IDLE_S", 0.0)
    with say([Say(), Say(b"", "reset")], always()) as server, lean_client(server.url) as client:
        assert client.get("/first").ok
        assert client.request(method, "/second").ok is is_ok
        assert server.lines == ["GET /first", f"{method} /second", f"{method} /second"][: 2 + is_ok]
        assert len(client.events) == 2


def test_a_request_is_sent_again_once_only(monkeypatch):
    monkeypatch.setattr(connection, "_IDLE_S", 0.0)
    with say([Say(), Say(b"", "reset")], [Say(b"", "reset")]) as server, lean_client(server.url) as client:
        assert client.get("/first").ok
        assert not client.get("/second").ok
        assert server.lines == ["GET /first", "GET /second", "GET /second"]


def test_a_new_connection_that_ends_is_a_failure():
    with say(always(b"", "close")) as server, lean_client(server.url) as client:
        assert isinstance(client.get("/").error, ConnectionClosed)
        assert server.connections == 1


@pytest.mark.parametrize(
    "surplus", [b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged", b"HTTP/1.1 500", b"noise", b"\r\n\r\n"]
)
@pytest.mark.parametrize("is_later", [True, False])
def test_what_nobody_asked_for_is_never_an_answer(surplus, is_later):
    pieces = [OK, surplus] if is_later else OK + surplus
    with say([Say(pieces), Say()], always()) as server, lean_client(server.url) as client:
        assert client.get("/1").text == "ok"
        gevent.sleep(0.01)
        assert client.get("/2").text == "ok"
        assert server.lines == ["GET /1", "GET /2"]


def test_requests_beside_each_other_have_connections_of_their_own():
    slow = [Say([b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n", b"o", b"k"])] * 10
    with say(slow) as server, lean_client(server.url) as client:
        jobs = [gevent.spawn(client.get, f"/{number}") for number in range(3)]
        gevent.joinall(jobs)
        assert [job.value.text for job in jobs] == ["ok"] * 3
        assert server.connections == 3
        assert client.get("/").ok
        assert server.connections == 3


def test_an_upload_ends_when_the_server_answers_before_it_has_it_all():
    too_large = answer(b"no", "413 Content Too Large")
    with say([Say(too_large, "hang", is_deaf=True)], always()) as server, lean_client(server.url) as client:
        assert client.post("/", data=b"x" * 30_000_000).status_code == 413
        assert client.get("/").ok
        assert server.connections == 2


def test_an_upload_to_a_server_that_leaves_is_a_failure():
    with say([Say(b"", "close", is_deaf=True)], always()) as server, lean_client(server.url) as client:
        failed = client.post("/", data=b"x" * 30_000_000)
        assert isinstance(failed.error, ConnectionClosed | ConnectionError)
        assert client.get("/").ok


def test_a_large_upload_arrives_whole():
    with say(always()) as server, lean_client(server.url) as client:
        assert client.put("/", data=b"0123456789" * 3_000_000).ok
        assert server.requests[0].partition(b"\r\n\r\n")[2] == b"0123456789" * 3_000_000


def test_a_killed_request_leaves_no_connection_behind():
    with say([Say(), Say(b"HTTP/1.1 200 OK\r\n", "hang")], always()) as server, lean_client(server.url) as client:
        assert client.get("/1").ok
        job = gevent.spawn(client.get, "/2")
        gevent.sleep(0.05)
        job.kill()
        assert client.get("/3").text == "ok"
        assert (server.connections, len(client.events)) == (2, 2)


def test_a_timeout_of_the_task_itself_is_that_requests_failure():
    with say([Say(b"", "hang")], always()) as server, lean_client(server.url) as client:
        with pytest.raises(gevent.Timeout), gevent.Timeout(0.05):
            client.get("/1")
        (event,) = client.events
        assert isinstance(event["exception"], gevent.Timeout)
        assert event["response_time"] >= 49
        assert client.get("/2").text == "ok"


def test_after_it_was_closed_a_client_still_works_and_keeps_nothing():
    with say(always()) as server, lean_client(server.url) as client:
        client.close()
        assert client.get("/1").ok
        assert client.get("/2").ok
        assert server.connections == 2


def test_threads_do_not_receive_into_each_others_answers():
    def receive(said: bytes) -> memoryview:
        one = connection.Connection("127.0.0.1", listener.getsockname()[1], AnswerReader(1000, 1000))
        accepted, _ = listener.accept()
        with accepted:
            accepted.sendall(said)
            select.select([one._socket], [], [], 5)
            received = one._receive_now()
        one.close()
        return received

    def receive_in_a_thread() -> None:
        receive(b"theirs")
        gevent.get_hub().destroy(destroy_loop=True)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = receive(b"our own")
        thread = threading.Thread(target=receive_in_a_thread)
        thread.start()
        thread.join()
        assert bytes(ours) == b"our own"
