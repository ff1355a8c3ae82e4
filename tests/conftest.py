"""What several groups of tests need."""

import signal
from collections.abc import Iterator

import pytest

pytest_plugins = ["pytester"]


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
