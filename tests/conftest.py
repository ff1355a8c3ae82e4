"""What several groups of tests need."""

import signal
from collections.abc import Iterator
from functools import cache
from weakref import WeakSet

import gevent
import hypothesis
import pytest

from tailgate.errors import BadInput
from tailgate.stack.docker import check_engine
from tests.lacking import skip_or_fail

pytest_plugins = ["pytester"]

# How long an example takes says more about the machine than about what is tested.
hypothesis.settings.register_profile("tailgate", deadline=None)
hypothesis.settings.load_profile("tailgate")


@pytest.fixture(scope="session", autouse=True)
def _signals_that_arrive() -> Iterator[None]:
    """Let tests signal what they start, also where nohup or a background job made us ignore the signal.

    A program inherits that a signal is ignored, not that it is handled.
    """
    ignored = [number for number in (signal.SIGINT, signal.SIGHUP) if signal.getsignal(number) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, signal.default_int_handler)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


@pytest.fixture(autouse=True)
def _nothing_left_running() -> Iterator[None]:
    """Fail a test that leaves a greenlet behind, which would go on in the tests that follow."""
    spawned: WeakSet[gevent.Greenlet] = WeakSet()
    gevent.Greenlet.add_spawn_callback(spawned.add)
    yield
    gevent.Greenlet.remove_spawn_callback(spawned.add)
    left = [greenlet for greenlet in spawned if not greenlet.dead and greenlet.parent is gevent.get_hub()]
    gevent.joinall(left, timeout=1)
    assert [greenlet for greenlet in left if not greenlet.dead] == []


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what is marked ``docker`` where no Docker answers."""
    if item.get_closest_marker("docker") and (reason := _why_no_docker()):
        skip_or_fail(reason)


@cache
def _why_no_docker() -> str:
    try:
        check_engine()
    except BadInput as missing:
        return str(missing)
    return ""
