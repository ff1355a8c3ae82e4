"""Cookies by RFC 6265: which are kept, and where they go."""

from __future__ import annotations

import time

import pytest

from tailgate.engine.lean.cookies import Cookie, CookieJar, parse_cookie

NOW = 1_700_000_000.0


def kept(text: str, host: str = "shop.example.org", path: str = "/cart/items") -> Cookie | None:
    return parse_cookie(text, host, path, NOW)


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("a=b", "a", "b"),
        (" a = b ; Path=/", "a", "b"),
        ("a=", "a", ""),
        ("a=b=c", "a", "b=c"),
        ('a="b c"', "a", '"b c"'),
    ],
)
def test_names_and_values(text, name, value):
    cookie = kept(text)
    assert (cookie.name, cookie.value) == (name, value)


@pytest.mark.parametrize("text", ["", "a", "=b", ";Path=/"])
def test_what_is_no_cookie_is_ignored(text):
    assert kept(text) is None


@pytest.mark.parametrize(
    ("given", "path"),
    [("", "/cart"), ("; Path=/", "/"), ("; path=/x/y", "/x/y"), ("; Path=x", "/cart"), ("; Path", "/cart")],
)
def test_paths(given, path):
    assert kept(f"a=b{given}").path == path


@pytest.mark.parametrize(("request_path", "path"), [("/", "/"), ("/x", "/"), ("/x/", "/x"), ("/x/y", "/x")])
def test_the_default_path_is_the_directory_of_the_request(request_path, path):
    assert kept("a=b", path=request_path).path == path


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ("Max-Age=10", 10.0),
        ("Max-Age=0", 0.0),
        ("max-age=-1", -1.0),
        ("Expires=Tue, 14 Nov 2023 22:13:30 GMT", 10.0),
        ("Expires=Tue, 14 Nov 2023 22:13:30 GMT; Max-Age=5", 5.0),
        ("Expires=soon", float("inf")),
        ("Max-Age=soon", float("inf")),
        ("Max-Age=1_0", float("inf")),
        (f"Max-Age={'9' * 400}", float("inf")),
        (f"Max-Age=-{'9' * 5000}", float("-inf")),
        (f"Expires=Tue, 14 Nov {'9' * 5000} 22:13:30 GMT", float("inf")),
        (f"Expires=Tue, 14 Nov {'9' * 400} 22:13:30 GMT", float("inf")),
    ],
)
def test_ends(given, seconds):
    assert kept(f"a=b; {given}").expires_at - NOW == seconds


@pytest.mark.parametrize(
    ("domain", "host", "goes"),
    [
        ("", "shop.example.org", True),
        ("", "www.shop.example.org", False),
        ("example.org", "www.example.org", True),
        (".Example.org", "example.org", True),
        ("example.org", "badexample.org", False),
        ("shop.example.org", "example.org", False),
    ],
)
def test_domains(domain, host, goes):
    cookie = kept(f"a=b; Domain={domain}" if domain else "a=b")
    assert cookie.goes_to(host, "/cart/items", is_secure=False, now=NOW) is goes


@pytest.mark.parametrize("domain", ["other.org", "w.shop.example.org", "org", "ple.org"])
def test_a_domain_that_is_not_the_hosts_own_is_ignored(domain):
    assert kept(f"a=b; Domain={domain}") is None


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_an_address_has_no_subdomains(host):
    cookie = kept(f"a=b; Domain={host}; Path=/", host=host)
    assert cookie.goes_to(host, "/", is_secure=False, now=NOW)
    assert not cookie.goes_to(f"x.{host}", "/", is_secure=False, now=NOW)
    assert kept("a=b; Domain=0.1", host="127.0.0.1") is None


@pytest.mark.parametrize(
    ("path", "asked", "goes"),
    [("/a", "/a", True), ("/a", "/a/b", True), ("/a", "/ab", False), ("/a/", "/a/b", True), ("/a/", "/a", False)],
)
def test_a_cookie_goes_to_its_path_and_below(path, asked, goes):
    assert kept(f"a=b; Path={path}").goes_to("shop.example.org", asked, is_secure=False, now=NOW) is goes


@pytest.mark.parametrize(
    ("host", "is_tls", "goes"),
    [("shop.org", True, True), ("shop.org", False, False), ("localhost", False, True), ("127.0.0.1", False, True)],
)
def test_a_secure_cookie_goes_over_tls_or_stays_on_this_machine(host, is_tls, goes):
    jar = CookieJar()
    jar.take("a=b; Secure; Path=/", host, "/")
    assert jar.header(host, "/", is_tls=is_tls) == ("a=b" if goes else "")


def test_a_newer_cookie_replaces_an_older_one_in_its_place():
    jar = CookieJar()
    for text in ("a=1; Path=/", "b=2; Path=/", "long=3; Path=/x", "a=4; Path=/"):
        jar.take(text, "shop.org", "/")
    assert jar.header("shop.org", "/x", is_tls=False) == "long=3; a=4; b=2"
    assert len(jar) == 3


def test_a_cookie_can_be_given_and_ends_in_time():
    jar = CookieJar()
    jar.set(Cookie(name="a", value="1", domain="shop.org", expires_at=time.time() + 3600))
    assert jar.get("a") == "1"
    jar.set(Cookie(name="a", value="1", domain="shop.org", expires_at=time.time() - 1))
    assert jar.get("a") is None
