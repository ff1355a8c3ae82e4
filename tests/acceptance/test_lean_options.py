"""What a task may tell `LeanHttpUser` about a request, and what goes over the wire for it."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import gevent
import pytest
from locust.exception import LocustError

from tailgate import LeanHttpUser
from tailgate.engine.lean.errors import InvalidUrl
from tests.acceptance.byte_server import always, answer, say
from tests.acceptance.lean_users import lean_client


@pytest.fixture
def server():
    with say(*[always()] * 10) as server:
        yield server


@pytest.fixture
def client(server):
    with lean_client(server.url) as client:
        yield client


def sent(server) -> tuple[str, dict[str, str], bytes]:
    """Return first line, headers and body of the last request."""
    head, _, body = server.requests[-1].partition(b"\r\n\r\n")
    line, *headers = head.decode("latin-1").split("\r\n")
    pairs = [header.split(": ", 1) for header in headers]
    assert len({name.lower() for name, _ in pairs}) == len(pairs)
    return line, {name.lower(): value for name, value in pairs}, body


def test_a_plain_request_is_short(client, server):
    client.get("/path?query=1")
    assert sent(server) == (
        "GET /path?query=1 HTTP/1.1",
        {
            "host": server.url.removeprefix("http://"),
            "user-agent": "tailgate",
            "accept": "*/*",
            "accept-encoding": "gzip, deflate, br",
        },
        b"",
    )


@pytest.mark.parametrize("method", ["get", "head", "options", "delete", "post", "put", "patch"])
def test_each_method_is_sent_and_recorded(client, server, method):
    getattr(client, method)("/x", name="thing")
    assert server.lines == [f"{method.upper()} /x"]
    (event,) = client.events
    assert (event["request_type"], event["name"], event["url"]) == (method.upper(), "thing", f"{server.url}/x")
    assert ("content-length" in sent(server)[1]) == (method in {"post", "put", "patch"})


@pytest.mark.parametrize(
    ("options", "content_type", "body"),
    [
        ({"json": {"a": "ü"}}, "application/json", b'{"a": "\\u00fc"}'),
        ({"json": []}, "application/json", b"[]"),
        ({"data": "ü"}, "text/plain; charset=utf-8", "ü".encode()),
        ({"data": b"\x00"}, "application/octet-stream", b"\x00"),
        ({"data": {"a": "1 2", "b": [1, 2]}}, "application/x-www-form-urlencoded; charset=utf-8", b"a=1+2&b=1&b=2"),
        ({"data": [("a", 1)]}, "application/x-www-form-urlencoded; charset=utf-8", b"a=1"),
        ({"data": "x", "json": {}}, "text/plain; charset=utf-8", b"x"),
        ({"data": b"<a/>", "headers": {"content-type": "text/xml"}}, "text/xml", b"<a/>"),
        ({"json": 1, "headers": {"CONTENT-TYPE": "application/vnd.api+json"}}, "application/vnd.api+json", b"1"),
    ],
)
def test_bodies(client, server, options, content_type, body):
    client.post("/", **options)
    _, headers, sent_body = sent(server)
    assert (headers["content-type"], headers["content-length"], sent_body) == (content_type, str(len(body)), body)


@pytest.mark.parametrize(
    ("url", "params", "target"),
    [
        ("/a b/ü", None, "/a%20b/%C3%BC"),
        ("/a%20b", None, "/a%20b"),
        ("/a?x=1#part", None, "/a?x=1"),
        ("", None, "/"),
        ("?x=1", None, "/?x=1"),
        ("a", None, "/a"),
        ("/a", {"x": "ü ", "none": None}, "/a?x=%C3%BC+"),
        ("/a?x=1", [("y", [2, 3])], "/a?x=1&y=2&y=3"),
        ("/a", "raw=1", "/a?raw=1"),
        ("/a", {}, "/a"),
        ("//double", None, "//double"),
    ],
)
def test_urls(client, server, url, params, target):
    assert client.get(url, params=params).ok
    assert sent(server)[0] == f"GET {target} HTTP/1.1"


def test_a_complete_url_may_lead_elsewhere(client, server):
    with say(always(answer(b"other"))) as other:
        assert client.get(f"{other.url}/x").text == "other"
        assert client.get("/x").text == "ok"
    assert server.lines == ["GET /x"]


def test_the_base_url_may_have_a_path_and_credentials(server):
    with lean_client(server.url.replace("//", "//me:p%40ss@") + "/shop") as client, say(always()) as other:
        client.get("/x")
        line, headers, _ = sent(server)
        assert (line, headers["authorization"]) == ("GET /shop/x HTTP/1.1", "Basic bWU6cEBzcw==")
        client.get(f"{other.url}/y")
        assert "authorization" not in sent(other)[1]


@pytest.mark.parametrize(
    ("options", "authorization"),
    [
        ({}, "Bearer of the class"),
        ({"headers": {"authorization": "Bearer of the task"}}, "Bearer of the task"),
        ({"auth": ("me", "secret")}, "Basic bWU6c2VjcmV0"),
    ],
)
def test_a_header_goes_before_the_credentials_of_the_base_url(server, options, authorization):
    defaults = {"AUTHORIZATION": "Bearer of the class"}
    with lean_client(server.url.replace("//", "//me:p%40ss@"), default_headers=defaults) as client:
        client.get("/", **options)
        assert sent(server)[1]["authorization"] == authorization
        assert client.has_header("authorization")


def test_the_credentials_of_a_requests_own_url_go_before_a_default_header(server):
    with lean_client(server.url, default_headers={"authorization": "Bearer of the class"}) as client:
        client.get(server.url.replace("//", "//me:p%40ss@"))
        assert sent(server)[1]["authorization"] == "Basic bWU6cEBzcw=="
        client.get(server.url)
        assert sent(server)[1]["authorization"] == "Bearer of the class"


def test_credentials_of_one_request(client, server):
    client.get("/", auth=("me", "secret"))
    assert sent(server)[1]["authorization"] == "Basic bWU6c2VjcmV0"
    client.get("/")
    assert "authorization" not in sent(server)[1]


def test_headers_replace_defaults_in_any_case(server):
    with lean_client(server.url, default_headers={"X-Team": "a", "USER-AGENT": "us"}) as client:
        client.get("/")
        assert sent(server)[1].items() >= {"x-team": "a", "user-agent": "us"}.items()
        client.get("/", headers={"x-team": "b", "accept": "text/html", "Host": "shop", "gone": None, "n": 1})
        wanted = {"x-team": "b", "accept": "text/html", "host": "shop", "n": "1", "user-agent": "us"}
        assert sent(server)[1].items() >= wanted.items()
        assert "gone" not in sent(server)[1]


def test_a_default_host_is_the_only_one(server):
    with lean_client(server.url, default_headers={"host": "shop"}) as client:
        client.get("/")
        assert sent(server)[1]["host"] == "shop"
        client.post("/", data="x", headers={"HOST": "other"})
        assert sent(server)[1]["host"] == "other"


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"headers": {"a b": "c"}}, "ValueError: 'a b' is no name of a header"),
        ({"headers": {"a": "b\r\nc: d"}}, "ValueError: header a: .* cannot be sent; wanted one line"),
        ({"headers": {"a": "\N{SNOWMAN}"}}, "ValueError: header a: '\N{SNOWMAN}' cannot be sent"),
        ({"headers": {"Content-Length": "3"}}, "ValueError: header Content-Length: leave it out, it is computed"),
        ({"headers": {"transfer-encoding": "chunked"}}, "ValueError: header transfer-encoding: leave it out"),
        ({"data": 3}, "TypeError: data is int, wanted bytes, text, a mapping or a list of pairs"),
        ({"files": {}}, "TypeError: files= is not supported: encode the form yourself"),
        ({"stream": True}, "TypeError: stream= is not supported: a body is always read to its end"),
        ({"proxies": {}}, "TypeError: proxies= is not supported: requests go straight to the server"),
        ({"verify": False}, "TypeError: verify= is not supported: set insecure or ssl_context_factory"),
        ({"color": 1}, "TypeError: color= is not supported: there is no such option"),
    ],
)
def test_an_option_that_cannot_be_used_is_an_error_of_the_task_and_sends_nothing(client, server, options, error):
    kind, _, text = error.partition(": ")
    with pytest.raises({"TypeError": TypeError, "ValueError": ValueError}[kind], match=text):
        client.get("/", **options)
    assert (server.requests, client.events) == ([], [])


@pytest.mark.parametrize("url", [3, None, b"/x", ["/x"], Path("/x")])
@pytest.mark.parametrize("params", [None, {}, {"a": 1}])
def test_a_url_that_is_no_text_is_an_error_of_the_task_before_anything_is_counted(client, url, params):
    with pytest.raises(TypeError, match=f"^url is {type(url).__name__}, wanted text$"):
        client.get(url, params=params)
    assert (client.tracker._recorder.sent, client.events) == (0, [])


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("http://[bad/", "'http://[bad/' is not a URL: Invalid IPv6 URL"),
        ("http://host:99999/", "'http://host:99999/' is not a URL: Port out of range 0-65535"),
        ("https:///path", "'https:///path' has no host"),
        ("http://" + "ü" * 80 + "/", "has an impossible host"),
        ("http://" + "a" * 80 + "/", "is no name of a host"),
    ],
)
def test_an_impossible_url_is_a_failed_request(client, url, error):
    failed = client.get(url)
    assert isinstance(failed.error, InvalidUrl)
    assert error in str(failed.error)
    assert len(client.events) == 1


def test_a_refused_connection_keeps_its_own_name(client, server):
    with say(always()) as gone:
        pass
    assert isinstance(client.get(gone.url).error, ConnectionRefusedError)


def test_proxies_of_the_environment_are_left_alone(monkeypatch, client):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert client.get("/").ok


@pytest.mark.parametrize("name", ["proxy_host", "proxy_port", "client_pool", "concurrency", "max_retries"])
def test_a_class_that_asks_for_what_there_is_not_is_refused(name):
    with pytest.raises(TypeError, match=f"LeanHttpUser does not support Crawler.{name}: "):
        type("Crawler", (LeanHttpUser,), {name: 1})


def test_the_task_decides_about_a_caught_response(client):
    with client.get("/", catch_response=True) as response:
        response.failure("wrong price")
    with client.get("/", catch_response=True) as response:
        assert client.events[1:] == []
    with client.get("http://127.0.0.1:9/", catch_response=True) as response:
        response.success()
    with pytest.raises(ValueError, match="of the task"), client.get("/", catch_response=True):
        raise ValueError("of the task")
    assert [str(event["exception"] or "") for event in client.events] == ["wrong price", "", "", ""]
    response, took_ms = client.events[0]["response"], client.events[0]["response_time"]
    assert response.elapsed.total_seconds() * 1000 == pytest.approx(took_ms, abs=0.001)


def test_a_response_that_was_not_caught_cannot_be_decided_about(client):
    response = client.get("/")
    with pytest.raises(LocustError, match="catch_response=True"):
        response.success()
    with pytest.raises(LocustError, match="catch_response=True"), response:
        pass


def test_names_and_contexts(server):
    with lean_client(server.url, context=lambda self: {"user": "me", "kind": "a"}) as client:
        with client.rename_request("group"):
            client.get("/1")
            client.get("/2", name="own", context={"kind": "b"})
        client.get("/3?x=1", params={"y": 2})
        assert [(event["name"], event["context"]) for event in client.events] == [
            ("group", {"user": "me", "kind": "a"}),
            ("own", {"user": "me", "kind": "b"}),
            ("/3?x=1&y=2", {"user": "me", "kind": "a"}),
        ]


def test_json_and_rest():
    with say(always(answer(json.dumps({"price": 3}).encode()))) as server, lean_client(server.url) as client:
        assert client.get("/").json() == {"price": 3}
        with client.user.rest("POST", "/", json={"a": 1}) as response:
            assert response.js == {"price": 3}
        with client.user.rest("GET", "/"):
            raise AssertionError("the price is wrong")
        assert [str(event["exception"] or "") for event in client.events] == ["", "", "the price is wrong"]
        with pytest.raises(ConnectionRefusedError):
            client.get("http://127.0.0.1:9/").json()


def test_numbers_and_spans_are_told_to_servers_and_events(client, server):
    class Tracker:
        timeout_s = 5.0
        is_marking = True

        def begin(self) -> None:
            noted.append("begun")

        def mark(self, headers, context) -> int:
            headers["x-request-id"], context["number"] = "7", 7
            return 42

        def censor(self, method, name, url, *, started, span_id) -> None:
            noted.append((method, name, url, span_id))

    noted = []
    client.tracker = Tracker()
    client.get("/", headers={"a": "b"})
    assert sent(server)[1].items() >= {"x-request-id": "7", "a": "b"}.items()
    assert client.events[0]["context"] == {"number": 7}
    with say(always(b"", "hang")) as silent:
        job = gevent.spawn(client.get, f"{silent.url}/x", name="hung")
        gevent.sleep(0.05)
        job.kill()
        assert noted == ["begun", "begun", ("GET", "hung", f"{silent.url}/x", 42)]
    assert len(client.events) == 1


def test_every_attribute_of_the_class_is_documented_with_its_default():
    page = (Path(__file__).parents[2] / "docs" / "users.md").read_text()
    documented = dict(re.findall(r"^\| `(\w+) = (.*?)` \|", page, flags=re.MULTILINE))
    settings = [name for name in LeanHttpUser.__annotations__ if name != "client"]
    assert {name: ast.literal_eval(value) for name, value in documented.items()} == {
        name: getattr(LeanHttpUser, name) for name in settings
    }
