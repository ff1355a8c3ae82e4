"""Answers to `LeanHttpUser`, well formed or not: each is one sample, with what really happened."""

from __future__ import annotations

import gzip
import re
import zlib

import brotli
import pytest

from tests.acceptance.byte_server import OK, Say, always, answer, say
from tests.acceptance.lean_users import lean_client

TEXT = b"Some text, long enough to be worth it. " * 20
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nHello\r\n6;ext=1\r\n World\r\n0\r\nTrailer: x\r\n\r\n"
)


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


GOOD = {
    "chunked": (CHUNKED, b"Hello World"),
    "gzip": (answer(gzip.compress(TEXT), content_encoding="gzip"), TEXT),
    "gzip in two members": (answer(gzip.compress(b"a") + gzip.compress(b"b"), content_encoding="x-gzip"), b"ab"),
    "deflate": (answer(zlib.compress(TEXT), content_encoding="deflate"), TEXT),
    "raw deflate": (answer(raw_deflate(TEXT), content_encoding="DEFLATE"), TEXT),
    "brotli": (answer(brotli.compress(TEXT), content_encoding="br"), TEXT),
    "two encodings": (answer(gzip.compress(brotli.compress(TEXT)), content_encoding="br, gzip"), TEXT),
    "identity": (answer(b"plain", content_encoding="identity"), b"plain"),
    "encoded nothing": (answer(b"", content_encoding="gzip"), b""),
    "early hints": (b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" + b"HTTP/1.1 100 Continue\r\n\r\n" + OK, b"ok"),
    "no content": (b"HTTP/1.1 204 No Content\r\nx: y\r\n\r\n", b""),
    "not modified": (b"HTTP/1.1 304 Not Modified\r\ncontent-length: 100\r\n\r\n", b""),
    "no reason": (b"HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nok", b"ok"),
}
UNTIL_THE_END = {
    "no length": (b"HTTP/1.1 200 OK\r\n\r\nto the end", b"to the end"),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\ncontent-type: text/plain\r\n\r\nold", b"old"),
    "an empty body": (b"HTTP/1.1 200 OK\r\n\r\n", b""),
}


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("is_split", [False, True])
def test_a_body_is_what_the_server_meant(name, is_split):
    sent, body = GOOD[name]
    pieces = [*(sent[at : at + 1] for at in range(min(len(sent), 400))), sent[400:]] if is_split else sent
    with say([Say(pieces), Say()]) as server, lean_client(server.url) as client:
        response = client.get("/")
        assert (response.content, response.error) == (body, None)
        assert client.get("/").text == "ok"
        assert server.connections == 1


@pytest.mark.parametrize("name", UNTIL_THE_END)
def test_a_body_without_a_length_ends_with_the_connection(name):
    sent, body = UNTIL_THE_END[name]
    with say(always([sent], "close")) as server, lean_client(server.url) as client:
        response = client.get("/")
        assert (response.content, response.error) == (body, None)
        assert client.get("/").content == body
        assert server.connections == 2


@pytest.mark.parametrize(
    ("head", "connections"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n", 1),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", 1),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 1),
        (b"HTTP/1.1 200 OK\r\n\r\n", 1),
        (b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n", 2),
        (b"HTTP/1.0 200 OK\r\n\r\n", 2),
        (b"HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n", 1),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwrong", 2),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nwr", 2),
    ],
)
def test_an_answer_to_head_has_no_body(head, connections):
    with say([Say(head), Say()], always()) as server, lean_client(server.url) as client:
        response = client.head("/")
        assert (response.status_code, response.content, response.error) == (200, b"", None)
        assert client.get("/").text == "ok"
        assert server.connections == connections


BAD = {
    "nothing": (b"", "ConnectionClosed: the server closed the connection without an answer"),
    "half a head": (b"HTTP/1.1 200 OK\r\ncont", "ConnectionClosed: .* within the head of its answer"),
    "half a body": (answer(b"0123456789")[:-4], "ConnectionClosed: .* 6 bytes into the body of its answer"),
    "half a chunk": (CHUNKED[:60], "ConnectionClosed: .* bytes into the body of its answer"),
    "no last chunk": (CHUNKED[:-18], "ConnectionClosed: .* bytes into the body of its answer"),
    "only hints": (b"HTTP/1.1 103 Hints\r\n\r\n", "ConnectionClosed: "),
    "noise": (b"\x00\x01this is not HTTP\r\n\r\n", "MalformedAnswer: the answer is not HTTP: "),
    "another protocol": (b"SSH-2.0-OpenSSH_9.6\r\n", "MalformedAnswer: the answer is not HTTP: "),
    "a bad length": (b"HTTP/1.1 200 OK\r\ncontent-length: 2x\r\n\r\nok", "MalformedAnswer: "),
    "two lengths": (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok", "MalformedAnswer: "),
    "length and chunks": (
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "MalformedAnswer: ",
    ),
    "a bad chunk": (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", "MalformedAnswer: "),
    "a switch": (
        b"HTTP/1.1 101 Switching\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
        "MalformedAnswer: status 101 is no answer",
    ),
    "101 alone": (b"HTTP/1.1 101 Switching\r\n\r\n", "MalformedAnswer: status 101 is no answer"),
    "status 42": (b"HTTP/1.1 042 What\r\ncontent-length: 0\r\n\r\n", "MalformedAnswer: "),
    "a long head": (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 20_000, "AnswerTooLarge: the head of the answer is"),
    "not gzip": (answer(b"plain", content_encoding="gzip"), "EncodingError: the body is not gzip: Error -3 while"),
    "half gzip": (answer(gzip.compress(TEXT)[:-9], content_encoding="gzip"), "EncodingError: .* it breaks off"),
    "not brotli": (answer(b"plain", content_encoding="br"), "EncodingError: the body is not br: "),
    "half brotli": (answer(brotli.compress(TEXT)[:-3], content_encoding="br"), "EncodingError: .* it breaks off"),
    "no known encoding": (answer(content_encoding="lzma"), "EncodingError: the body has the unknown encoding 'lzma'"),
    "a bomb": (
        answer(gzip.compress(b"0" * 20_000_000), content_encoding="gzip"),
        "AnswerTooLarge: the decoded body is longer than 10,000,000 bytes",
    ),
    "a brotli bomb": (
        answer(brotli.compress(b"0" * 20_000_000), content_encoding="br"),
        "AnswerTooLarge: the decoded body is longer than 10,000,000 bytes",
    ),
    "too much": (answer(b"x" * 10_000_001), "AnswerTooLarge: the answer is longer than 10,000,000 bytes"),
    "a flood of hints": (
        b"HTTP/1.1 103 Hints\r\n\r\n" * 500_000,
        "AnswerTooLarge: the head of the answer is longer than 65,536",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_answer_is_a_failure_that_tells_why(name):
    sent, error = BAD[name]
    served = [Say([sent], "close")] if error.startswith("ConnectionClosed") else [Say(sent), Say()]
    with say(served, always()) as server, lean_client(server.url, max_answer_bytes=10**7) as client:
        failed = client.get("/")
        assert re.match(error, f"{type(failed.error).__name__}: {failed.error}")
        assert (failed.status_code, failed.content) == (0, None)
        assert client.events[0]["exception"] is failed.error
        assert client.get("/").text == "ok"
        assert (server.lines, len(client.events)) == (["GET /"] * 2, 2)


@pytest.mark.parametrize("status", [400, 404, 500, 599, 999])
def test_a_status_of_400_or_above_is_a_failure_with_an_answer(status):
    with say(always(answer(b"why", f"{status} No"))) as server, lean_client(server.url) as client:
        failed = client.get("/")
        assert (failed.status_code, failed.text, failed.ok) == (status, "why", False)
        assert client.events[0]["exception"] is failed.error
        with pytest.raises(type(failed.error), match=f"code={status}"):
            failed.raise_for_status()
        assert server.connections == 1


def test_headers_are_found_in_any_case_and_joined():
    sent = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: 1\r\nx-a: 2\r\nX-Empty:\r\nX-Latin: caf\xe9\r\n\r\nok"
    with say(always(sent)) as server, lean_client(server.url) as client:
        headers = client.get("/").headers
        assert (headers["X-a"], headers.get_list("x-A"), headers["x-empty"]) == ("1, 2", ["1", "2"], "")
        assert headers["x-latin"] == "café"
        assert "X-B" not in headers
        assert headers.get("X-B") is None
        assert sorted(headers) == ["Content-Length", "X-Empty", "X-Latin", "x-a"]
        assert len(headers) == 4


@pytest.mark.parametrize(
    ("content_type", "body", "text"),
    [
        ("text/html; charset=latin-1", b"caf\xe9", "café"),
        ('text/html; a=b; CHARSET="utf-8"', "café".encode(), "café"),
        ("application/json", "café".encode(), "café"),
        ("text/plain; charset=klingon", "café".encode(), "café"),
        ("text/plain", b"\xff", "\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_text_is_in_the_charset_of_the_headers_or_else_utf_8(content_type, body, text):
    with say(always(answer(body, content_type=content_type))) as server, lean_client(server.url) as client:
        assert client.get("/").text == text
