"""The users' client: what it tries again, what it counts, and what it calls a failure."""

from __future__ import annotations

import socket
from types import SimpleNamespace

import pytest
from locust.exception import CatchResponseError

from perf_tests import client
from perf_tests.client import RETRY_DELAY_S, CheckingUser
from perf_tests.users import Shopper
from tests.acceptance.single_user import single_user

pytest_plugins = ["tests.acceptance.engine_fixtures"]


class Caller(CheckingUser):
    """A user that is told what to send."""

    abstract = True

    def get(self, path, **options):
        return self.call("GET", path, name="Thing", **options)

    @property
    def outcomes(self):
        """Error of each sample, empty for a success."""
        assert {key for key, _ in self.samples} == {"GET Thing"}
        return [error for _, error in self.samples]


@pytest.fixture
def pauses(monkeypatch):
    """Pauses before retries, noted and not made."""
    noted = []
    # Only what the client calls gevent: whatever else sleeps in this process would never let go of the loop.
    monkeypatch.setattr(client, "gevent", SimpleNamespace(sleep=noted.append))
    return noted


@pytest.fixture
def caller(server, pauses):
    with single_user(Caller, server.url) as caller:
        yield caller


@pytest.fixture
def deaf_url():
    """Where nobody listens, and nobody else can begin to."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{holder.getsockname()[1]}"


def test_a_5xx_is_tried_again_until_it_works_and_each_attempt_is_a_sample(caller, pauses):
    assert caller.get("/status/500,503,200").status_code == 200
    assert caller.outcomes == ["status 500, expected 200", "status 503, expected 200", ""]
    assert caller.counters.as_dict() == {"retries": 2}
    assert pauses == [RETRY_DELAY_S, RETRY_DELAY_S]


def test_a_success_is_one_sample_without_a_pause(caller, pauses):
    caller.get("/status/200")
    assert (caller.outcomes, caller.counters.as_dict(), pauses) == ([""], {}, [])


def test_a_5xx_that_stays_is_a_failure_in_the_end(caller, server):
    assert caller.get("/status/500").status_code == 500
    assert caller.outcomes == ["status 500, expected 200"] * 3
    assert caller.counters.as_dict() == {"retries": 2}
    assert server.count == 3


def test_a_refused_connection_is_tried_again_and_the_error_is_that_of_the_connection(deaf_url, pauses):
    with single_user(Caller, deaf_url) as caller:
        assert caller.get("/").status_code == 0
        assert len(caller.outcomes) == 3
        assert all("refused" in error for error in caller.outcomes)
        assert caller.counters.as_dict() == {"retries": 2}


@pytest.mark.parametrize("path", ["/close", "/reset", "/garbage", "/cut"])
def test_a_broken_answer_is_tried_again_and_fails(caller, server, path):
    caller.get(path)
    assert len(caller.outcomes) == 3
    assert all(caller.outcomes)
    assert not any("status" in error for error in caller.outcomes)
    assert server.count == 3


def test_an_expected_status_is_a_success(caller):
    assert caller.get("/status/404", expected=(404,)).status_code == 404
    assert caller.outcomes == [""]


def test_an_expected_5xx_is_a_success_and_not_tried_again(caller):
    caller.get("/status/503", expected=(503,))
    assert (caller.outcomes, caller.counters.as_dict()) == ([""], {})


@pytest.mark.parametrize(
    ("path", "expected", "error"),
    [
        ("/status/409", (200,), "status 409, expected 200"),
        ("/status/404", (200, 409), "status 404, expected 200 or 409"),
        ("/status/200", (404,), "status 200, expected 404"),
    ],
)
def test_an_unexpected_status_is_a_failure_and_not_tried_again(caller, path, expected, error):
    caller.get(path, expected=expected)
    assert (caller.outcomes, caller.counters.as_dict()) == ([error], {})


@pytest.mark.parametrize(
    ("path", "validate", "error"),
    [
        ("/received", lambda answer: "too few", "too few"),
        ("/received", lambda answer: answer["data"], "unusable answer: KeyError: 'data'"),
        ("/received", lambda answer: answer + 1, "unusable answer: TypeError: unsupported operand"),
        ("/received", lambda answer: "", ""),
        ("/text", lambda answer: "", "unusable answer: JSONDecodeError: Expecting value"),
        ("/big/0", lambda answer: "", "unusable answer: JSONDecodeError: Expecting value"),
        ("/status/404", lambda answer: "not looked at", "status 404, expected 200"),
    ],
)
def test_an_answer_that_does_not_hold_what_it_should_is_a_failure_that_names_it(caller, path, validate, error):
    caller.get(path, validate=validate)
    (found,) = caller.outcomes
    assert found.startswith(error)
    assert bool(found) == bool(error)


def test_a_user_without_a_catalogue_ends_with_the_reason(server, pauses):
    with single_user(Shopper, server.url) as shopper, pytest.raises(CatchResponseError, match="unusable answer: JSON"):
        shopper.on_start()


def test_a_user_that_cannot_connect_ends_with_the_reason(deaf_url, pauses):
    with single_user(Shopper, deaf_url) as shopper, pytest.raises(ConnectionRefusedError):
        shopper.on_start()
    assert len(shopper.samples) == 3
