"""Whatever a server sends, in whatever pieces: one sample, in time, and the next request is none the worse for it."""

from __future__ import annotations

import h11
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from locust.contrib.fasthttp import LocustBadStatusCode

from tailgate.engine.lean.errors import RequestError
from tests.acceptance.byte_server import Say, always, say
from tests.acceptance.lean_users import lean_client

TIMEOUT_S = 0.1
OUTCOMES = (RequestError, OSError, LocustBadStatusCode, type(None))
CALM = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))

STATUS_LINES = st.sampled_from(
    [b"HTTP/1.1 200 OK", b"HTTP/1.1 103 Hints", b"HTTP/1.0 200 OK", b"HTTP/1.1 204 No", b"HTTP/1.1 500 No", b"HTTP/1.1"]
)
HEADERS = st.sampled_from(
    [
        b"content-length: 3",
        b"content-length: 0",
        b"Transfer-Encoding: chunked",
        b"connection: close",
        b"Connection: keep-alive",
        b"content-encoding: gzip",
        b"content-encoding: identity",
        b"location: /elsewhere",
        b"set-cookie: a=b; path=/",
        b"x: \xff",
        b" folded",
        b"no colon",
    ]
)
BODIES = st.sampled_from([b"", b"abc", b"3\r\nabc\r\n0\r\n\r\n", b"0\r\n\r\n", b"3\r\nab", b"abcdef"]) | st.binary(
    max_size=20
)
ANSWERS = st.builds(
    lambda line, headers, end, body: b"\r\n".join([line, *headers]) + end + body,
    STATUS_LINES,
    st.lists(HEADERS, max_size=4),
    st.sampled_from([b"\r\n\r\n", b"\r\n\r\n", b"\n\n", b"\r\n"]),
    BODIES | st.binary(max_size=20),
)
STREAMS = st.lists(ANSWERS | st.binary(max_size=30), min_size=1, max_size=3).map(b"".join)


@st.composite
def pieces(draw: st.DrawFn) -> list[bytes]:
    """Return a stream, cut anywhere."""
    stream = draw(STREAMS)
    cuts = sorted(draw(st.sets(st.integers(0, len(stream)), max_size=4)))
    return [stream[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]


def meaning_of(stream: bytes) -> tuple[int, bytes] | None:
    """Return status and body as h11 reads them, the connection being closed after them; None if it refuses."""
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("host", "x")]))
    connection.send(h11.EndOfMessage())
    status, body = 0, b""
    try:
        connection.receive_data(stream)
        connection.receive_data(b"")
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            if isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif not isinstance(event, h11.InformationalResponse):
                return None
    except h11.RemoteProtocolError:
        return None
    return status, body


@CALM
@given(
    pieces=pieces(),
    then=st.sampled_from(["keep", "close", "close", "reset"]),
    method=st.sampled_from(["GET", "HEAD", "POST"]),
)
def test_a_request_is_one_sample_in_time_and_harms_none(pieces, then, method):
    with say([Say(pieces, then), Say()], always()) as server, lean_client(server.url) as client:
        response = client.request(method, "/", timeout=TIMEOUT_S, allow_redirects=False)
        assert len(client.events) == 1
        assert isinstance(response.error, OUTCOMES)
        assert response.took_s < TIMEOUT_S + 1
        assert (response.content is None) == (response.status_code == 0)
        _ = response.headers.get("x"), response.text, response.url
        client.cookies.clear()
        later = client.post("/later")
        assert later.status_code in {0, 200}
        assert later.content in {None, b"ok"}
        assert len(client.events) == 2


@CALM
@given(pieces=pieces())
def test_what_is_understood_is_what_h11_understands(pieces):
    expected = meaning_of(b"".join(pieces))
    with say([Say(pieces, "close")]) as server, lean_client(server.url) as client:
        response = client.get("/", timeout=TIMEOUT_S, allow_redirects=False)
    if expected is not None and response.status_code and "content-encoding" not in response.headers:
        assert (response.status_code, response.content) == expected
