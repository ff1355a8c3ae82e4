"""Whatever a listener does when a run ends, nothing of the run goes on; the tests' own check sees that."""

import time

import pytest
from locust import events
from locust.exception import StopTest

from tailgate.engine import interrupts
from tailgate.errors import EngineError
from tests.acceptance.engine_runs import hold, run, visitor
from tests.acceptance.fleet_runs import run_in_workers
from tests.acceptance.fleet_users import Visitor

pytest_plugins = ["tests.acceptance.engine_fixtures"]


@pytest.fixture
def at_the_end():
    """Have something done when a run ends."""
    listeners = []

    def listen(listener):
        listeners.append(events.test_stop.add_listener(lambda **_: listener()))

    yield listen
    for listener in listeners:
        events.test_stop.remove_listener(listener)


def stop_test():
    raise StopTest("no more")


@pytest.mark.parametrize("load", [run, run_in_workers])
@pytest.mark.parametrize(
    ("listener", "error"),
    [(lambda: pytest.fail("the shop is not tidy"), pytest.fail.Exception), (stop_test, StopTest)],
)
def test_what_a_listener_raises_to_end_a_test_is_raised(server, at_the_end, load, listener, error):
    at_the_end(listener)
    with pytest.raises(error, match=r"the shop is not tidy|no more"):
        load([Visitor], server.url, hold(1, 0.1))


def test_a_listener_that_blocks_the_end_for_good_is_an_error(server, at_the_end, monkeypatch):
    monkeypatch.setattr(interrupts, "BLOCKED_AFTER_S", 0.2)
    at_the_end(lambda: time.sleep(3600))
    with pytest.raises(EngineError, match=r"a shape or a listener, blocked the event loop for more than 0\.2 s"):
        run(visitor("/"), server.url, hold(1, 0.1))
