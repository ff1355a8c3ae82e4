"""TLS of `LeanHttpUser`: what it trusts, what it shows of itself, and how it fails."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import gevent
import pytest
import trustme

from tests.acceptance.byte_server import OK, Say, say
from tests.acceptance.lean_users import lean_client

AUTHORITY = trustme.CA()
CERTIFICATE = AUTHORITY.issue_cert("localhost", "127.0.0.1", "::1")
SAID_TWICE = threading.Event()
SAID_ALL = threading.Event()
BODY = b"0123456789" * 100_000
SENT_AT_ONCE = BODY[:400_000]
"""As much as systems take that nobody receives yet."""


class Answering(BaseHTTPRequestHandler):
    """Answers each request with who the client is, in HTTP/1.1."""

    protocol_version = "HTTP/1.1"
    timeout = 5

    def do_GET(self) -> None:
        received = self.rfile.read(int(self.headers.get("content-length", 0)))
        shown = self.connection.getpeercert() or {}
        name = dict(pair for (pair,) in shown.get("subject", ())).get("organizationName", "nobody")
        bodies = {"/big": BODY, "/at-once": SENT_AT_ONCE}
        body = bodies.get(self.path, f"{name} {len(received)}".encode())
        if self.path == "/twice":  # in records of their own, which may come in one packet
            self.connection.sendall(OK)
            self.connection.sendall(OK.replace(b"ok", b"no"))
            SAID_TWICE.set()
            return
        if self.path == "/cut":
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\nto the end")
            self.wfile.flush()
            self.connection._sslobj = None  # close_notify is never sent
            self.close_connection = True
            return
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        if body == SENT_AT_ONCE:
            SAID_ALL.set()

    do_POST = do_GET  # noqa: N815 - the name that http.server looks for

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    """Waits for its threads at the end, and says nothing of clients that leave."""

    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        pass


class ServerV6(Server):
    address_family = socket.AF_INET6


@contextmanager
def tls_client(server: int, name: str = "localhost", **attributes) -> Iterator[Any]:
    """Yield a client of a server, which trusts it unless told otherwise."""
    with lean_client(f"https://{name}:{server}", **{"ssl_context_factory": trusting, **attributes}) as client:
        yield client


@contextmanager
def tls_server(
    cls: type[Server] = Server, host: str = "127.0.0.1", *, wants_client: bool = False, version: str = "TLSv1_3"
) -> Iterator[tuple[int, list[str]]]:
    """Yield the port of a server, and the names that it was asked for."""
    asked: list[str] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion[version]
    CERTIFICATE.configure_cert(context)
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    if wants_client:
        AUTHORITY.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    server = cls((host, 0), Answering)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server.server_address[1], asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    return context


def trusting_and_known() -> ssl.SSLContext:
    context = trusting()
    AUTHORITY.issue_cert("client@example.org", organization_name="Shop").configure_cert(context)
    return context


def test_a_trusted_server_is_spoken_to_by_its_name_over_one_connection():
    with tls_server() as (port, asked), tls_client(port) as client:
        assert [client.get("/").text for _ in range(3)] == ["nobody 0"] * 3
        assert asked == ["localhost"]


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_large_bodies_in_both_directions(version):
    with tls_server(version=version) as (port, _), tls_client(port, "127.0.0.1") as client:
        assert client.post("/", data=BODY * 5).text == f"nobody {5 * len(BODY)}"
        assert client.get("/big").content == BODY


def test_others_have_their_turns_while_an_answer_is_received_that_is_there_already():
    turns: list[None] = []
    with tls_server() as (port, _), tls_client(port) as client:
        assert client.get("/").ok
        job = gevent.spawn(client.get, "/at-once")
        gevent.sleep(0)
        assert SAID_ALL.wait(5)  # which lets nobody else run
        watcher = gevent.get_hub().loop.prepare()
        watcher.start(turns.append, None)
        assert job.get().content == SENT_AT_ONCE
        watcher.close()
    assert len(turns) >= len(SENT_AT_ONCE) / (1 << 16)


def test_a_server_that_nobody_vouches_for_is_refused():
    with tls_server() as (port, _), tls_client(port, ssl_context_factory=None) as client:
        failed = client.get("/")
        assert isinstance(failed.error, ssl.SSLCertVerificationError)
        assert "certificate verify failed" in str(client.events[0]["exception"])


def test_a_server_under_another_name_is_refused():
    with tls_server(host="127.0.0.2") as (port, _), tls_client(port, "127.0.0.2") as client:
        assert "IP address mismatch" in str(client.get("/").error)


def test_insecure_trusts_everybody():
    with tls_server() as (port, _), tls_client(port, ssl_context_factory=None, insecure=True) as client:
        assert client.get("/").text == "nobody 0"


def test_a_client_certificate_is_shown():
    with tls_server(wants_client=True) as (port, _), tls_client(port, ssl_context_factory=trusting_and_known) as client:
        assert client.get("/").text == "Shop 0"


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_a_server_that_wants_a_client_certificate_and_gets_none_fails_the_request(version):
    with tls_server(wants_client=True, version=version) as (port, _), tls_client(port) as client:
        assert isinstance(client.get("/").error, ssl.SSLError)


def test_a_server_that_does_not_speak_tls_fails_the_request():
    noise = [Say(b"Welcome to the mail server\r\n", "close", is_deaf=True)]
    with say(noise) as server, tls_client(server.port) as client:
        assert "WRONG_VERSION_NUMBER" in str(client.get("/").error)
    with tls_server() as (port, _), lean_client(f"http://localhost:{port}") as client:
        assert not client.get("/").ok


def test_what_nobody_asked_for_is_never_an_answer():
    with tls_server() as (port, _), tls_client(port) as client:
        assert client.get("/twice").text == "ok"
        while not SAID_TWICE.is_set():
            gevent.sleep(0.001)
        assert client.get("/").text == "nobody 0"


def test_a_body_that_tls_did_not_end_is_cut_off():
    with tls_server() as (port, _), tls_client(port) as client:
        assert isinstance(client.get("/cut").error, ssl.SSLEOFError)


def test_tls_over_ipv6():
    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    with tls_server(ServerV6, "::1") as (port, _), tls_client(port, "[::1]") as client:
        assert client.get("/").text == "nobody 0"


def test_one_context_serves_all_users_of_a_class():
    made = []

    def factory() -> ssl.SSLContext:
        made.append(trusting())
        return made[-1]

    with tls_server() as (port, _):
        for _ in range(3):
            with tls_client(port, ssl_context_factory=factory) as client:
                assert client.get("/").ok
    assert len(made) == 1
