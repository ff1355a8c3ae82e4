"""Redirects and cookies of `LeanHttpUser`: one sample each, methods as in browsers, and no secret to another server."""

from __future__ import annotations

import httpx
import pytest

from tailgate.engine.lean.errors import RedirectError
from tests.acceptance.byte_server import Say, always, answer, say
from tests.acceptance.lean_users import lean_client

END = answer(b"end")


def to(location: str, status: int = 302, **headers: str) -> Say:
    return Say(answer(b"moved", f"{status} Moved", location=location, **headers))


def to_bytes(location: bytes) -> Say:
    return Say(b"HTTP/1.1 302 Moved\r\ncontent-length: 0\r\nlocation: " + location + b"\r\n\r\n")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE"])
def test_methods_and_bodies_change_as_in_httpx(status, method):
    # An answer to HEAD has no body, so the server must not send one.
    moved = f"HTTP/1.1 {status} Moved\r\nlocation: /end?a=b\r\ncontent-length: 0\r\n\r\n".encode()
    served = [Say(moved), Say(b"HTTP/1.1 204 Done\r\n\r\n")]
    body = b"body" if method in {"POST", "PUT"} else None
    with say(served, served) as server, lean_client(server.url) as client:
        response = client.request(method, "/begin", data=body)
        assert (response.status_code, response.url) == (204, f"{server.url}/end?a=b")
        assert [event["url"] for event in client.events] == [f"{server.url}/begin"]
        ours = [(request.split(b" ")[0], request.partition(b"\r\n\r\n")[2]) for request in server.requests]
    expected = httpx.Request(method, "http://host/begin", content=body)
    redirected = httpx.Client()._build_redirect_request(expected, httpx.Response(status, headers={"location": "/end"}))
    assert ours[1] == (redirected.method.encode(), redirected.read())


@pytest.mark.parametrize(
    ("location", "line"),
    [
        ("end", "GET /a/end"),
        ("../end", "GET /end"),
        ("?x=1", "GET /a/begin?x=1"),
        ("/e nd/?a=%20", "GET /e%20nd/?a=%20"),
        ("/end#part", "GET /end"),
        ("", "GET /a/begin"),
    ],
)
def test_a_location_is_relative_to_its_request(location, line):
    with say([to(location), Say(END)]) as server, lean_client(server.url) as client:
        assert client.get("/a/begin").text == "end"
        assert server.lines == ["GET /a/begin", line]


@pytest.mark.parametrize("charset", ["utf-8", "latin-1"])
def test_a_location_that_is_not_quoted_is_quoted_as_it_was_meant(charset):
    with say([to_bytes("/café".encode(charset)), Say(END)]) as server, lean_client(server.url) as client:
        assert client.get("/").text == "end"
        assert server.lines == ["GET /", "GET /caf%C3%A9"]


def test_several_redirects_are_one_request_on_one_connection():
    with say([to("/2"), to("/3", 307), to("/4", 308), Say(END)]) as server, lean_client(server.url) as client:
        assert client.get("/1").text == "end"
        assert (len(server.lines), server.connections, len(client.events)) == (4, 1, 1)


def test_a_redirect_that_is_not_followed_is_the_answer():
    with say([to("/2")]) as server, lean_client(server.url) as client:
        response = client.get("/1", allow_redirects=False)
        assert (response.status_code, response.text, response.headers["location"]) == (302, "moved", "/2")
        assert response.ok


def test_a_redirect_to_nowhere_in_particular_is_the_answer():
    with say(always(answer(b"", "302 Found"))) as server, lean_client(server.url) as client:
        assert (client.get("/1").status_code, server.lines) == (302, ["GET /1"])


@pytest.mark.parametrize(
    ("location", "error"),
    [
        ("http://[bad", "redirected to an impossible place: 'http://[bad' is not a URL: Invalid IPv6 URL"),
        ("ftp://host/x", "redirected to an impossible place: 'ftp://host/x' does not begin with http"),
        ("https://", "has no host"),
        ("/again", "redirected more than 30 times, at last to http://127.0.0.1:"),
    ],
)
def test_a_redirect_that_cannot_be_followed_is_a_failure(location, error):
    with say([to(location)] * 100) as server, lean_client(server.url) as client:
        failed = client.get("/1")
        assert isinstance(failed.error, RedirectError)
        assert error in str(failed.error)
        assert len(client.events) == 1
        assert len(server.requests) == (31 if location == "/again" else 1)


SECRETS = {"Authorization": "Bearer me", "Cookie": "own=1", "Proxy-Authorization": "x", "X-Harmless": "y"}


def names(request: bytes) -> set[str]:
    return {line.split(b":")[0].decode().lower() for line in request.split(b"\r\n\r\n")[0].split(b"\r\n")[1:]}


def cookies_in(request: bytes) -> str:
    return request.decode().partition("\r\nCookie: ")[2].partition("\r\n")[0]


def test_another_server_is_told_no_secrets():
    with say(always(END)) as other, say([to(f"{other.url}/", set_cookie="s=1")]) as server:
        with lean_client(server.url) as client:
            assert client.get("/", headers=SECRETS).text == "end"
        assert names(server.requests[0]) > {"authorization", "cookie", "proxy-authorization", "x-harmless"}
        # The ports differ, and cookies know no ports: only what the task itself gave stays behind.
        assert names(other.requests[0]) == {"host", "user-agent", "accept", "accept-encoding", "x-harmless", "cookie"}
        assert b"\r\nCookie: s=1\r\n" in other.requests[0]
        assert f"Host: {other.url.removeprefix('http://')}\r\n".encode() in other.requests[0]


@pytest.mark.parametrize("own", [{}, {"authorization": "Bearer my own"}])
def test_another_server_is_told_no_secrets_of_the_class_either(own):
    defaults = SECRETS | {"Host": "shop"}
    with say(always(END)) as other, say([to(f"{other.url}/")]) as server:
        with lean_client(server.url, default_headers=defaults) as client:
            assert client.get("/", headers=own).text == "end"
        assert names(server.requests[0]) > {"authorization", "cookie", "proxy-authorization", "x-harmless"}
        assert b"\r\nHost: shop\r\n" in server.requests[0]
        assert names(other.requests[0]) == {"host", "user-agent", "accept", "accept-encoding", "x-harmless"}
        assert f"Host: {other.url.removeprefix('http://')}\r\n".encode() in other.requests[0]


def test_a_server_that_another_one_redirects_to_is_told_no_secrets():
    back = []
    with say([Say(back)]) as other, say([to(f"{other.url}/"), Say(END)]) as server:
        back.append(to(f"{server.url}/back").pieces)
        with lean_client(server.url, default_headers=SECRETS) as client:
            assert client.get("/").text == "end"
        assert server.lines == ["GET /", "GET /back"]
        assert names(server.requests[1]) == {"host", "user-agent", "accept", "accept-encoding", "x-harmless"}


def test_the_same_server_is_told_them_again():
    with say([to("/2"), Say(END)] * 2) as server, lean_client(server.url, default_headers={"Host": "shop"}) as client:
        client.get("/", headers=SECRETS, auth=("me", "secret"))
        assert names(server.requests[0]) == names(server.requests[1])
    with say([to("/2"), Say(END)]) as server, lean_client(server.url, default_headers=SECRETS) as client:
        client.get("/")
        assert names(server.requests[0]) == names(server.requests[1]) > {"authorization", "cookie"}


def test_cookies_are_sent_back_until_they_end():
    cookies = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nset-cookie: a=1; Path=/\r\nset-cookie: b=2; HttpOnly\r\n\r\n"
    end = answer(b"", set_cookie="a=; Path=/; Max-Age=0")
    served = [Say(cookies.encode()), Say(), Say(end), Say(), Say()]
    with say(served) as server, lean_client(server.url) as client:
        client.get("/in/")
        assert (client.cookies.get("a"), client.cookies.get("b"), len(client.cookies)) == ("1", "2", 2)
        for path in ("/in/x", "/out", "/in/x", "/out"):
            client.get(path)
        sent = [
            dict(line.split(": ", 1) for line in request.decode().split("\r\n")[1:-2]) for request in server.requests
        ]
        assert [headers.get("Cookie") for headers in sent] == [None, "b=2; a=1", "a=1", "b=2", None]


def test_a_given_cookie_header_is_sent_instead_of_cookies_that_servers_have_set():
    serving = say(always(answer(set_cookie="a=1")))
    with serving as server, lean_client(server.url, default_headers={"Cookie": "given=1"}) as client:
        for headers in ({}, {}, {"Cookie": "own=1"}):
            client.get("/", headers=headers)
        assert [cookies_in(request) for request in server.requests] == ["given=1", "given=1", "own=1"]
        assert client.cookies.get("a") == "1"


def test_each_user_has_cookies_of_its_own():
    serving = say(always(answer(set_cookie="a=1")))
    with serving as server, lean_client(server.url) as one, lean_client(server.url) as two:
        one.get("/")
        assert (len(one.cookies), len(two.cookies)) == (1, 0)
        one.cookies.clear()
        assert len(one.cookies) == 0
