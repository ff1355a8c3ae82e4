"""Signals, a blocked event loop, and the turn that loads take on a machine."""

import json
import os
import pwd
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from locust import LoadTestShape, events

from tailgate.engine import interrupts
from tailgate.errors import EngineError
from tailgate.model import Scenario
from tailgate.turns import machine_turn
from tailgate.validity import find_reasons
from tests.acceptance.engine_runs import Watch, hold, run, visitor
from tests.children import mortal, next_line

pytest_plugins = ["tests.acceptance.engine_fixtures"]

TELLING_SIGNALS = """
import os
import tailgate.engine
from tailgate.engine.interrupts import Interrupts

def tell_signal(self, number, frame, hold_back=Interrupts._on_signal):
    hold_back(self, number, frame)
    os.write(1, b"held back\\n")

Interrupts._on_signal = tell_signal
"""
"""Says when a signal has been held back, for two at once would be one."""

LOADING = """
import json, sys
from tailgate import Arrivals
from tests.acceptance.engine_runs import Watch, hold, run, visitor

class Telling(Watch):
    def on_progress(self, live):
        if len(live.log) or {path!r} == "/hang":
            print("loading", flush=True)
        return super().on_progress(live)

patience = dict(stop_timeout_s={stop_timeout_s}, request_timeout_s=600)
try:
    result = run(visitor({path!r}), {url!r}, {shape}, monitor=Telling(), **patience)
except KeyboardInterrupt:
    print("KeyboardInterrupt")
else:
    print(json.dumps([result.facts.interrupted, result.duration_s, len(result.samples), result.samples.censored]))
"""

SHAPES = ("hold(2, 30)", "Arrivals(rate_rps=100, duration_s=30)")

HOLDING = """
import os, sys
from pathlib import Path
from tailgate.turns import machine_turn

os.umask(0o077)
if int(sys.argv[2]) != os.getuid():
    os.setgroups([])
    os.setuid(int(sys.argv[2]))
with machine_turn(lambda: print("waits", flush=True), Path(sys.argv[1])):
    print("turn", flush=True)
    sys.stdin.readline()
"""


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
    )


@contextmanager
def loading(server, shape: str, path: str = "/", stop_timeout_s: float = 1.0) -> Iterator[subprocess.Popen[str]]:
    """Have a process that is in the middle of a load."""
    code = TELLING_SIGNALS + LOADING.format(path=path, url=server.url, shape=shape, stop_timeout_s=stop_timeout_s)
    with mortal(start(code)) as process:
        assert next_line(process) == "loading\n"
        yield process


def interrupt_twice(process: subprocess.Popen[str]) -> None:
    """Send a second signal when the first has arrived."""
    process.send_signal(signal.SIGINT)
    while (line := next_line(process)) != "held back\n":
        assert line == "loading\n"
    process.send_signal(signal.SIGINT)


def last_line(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=50)
    return output.splitlines()[-1]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("number", "name"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM")])
def test_a_signal_ends_the_run_and_what_was_measured_is_kept(server, number, name, shape):
    with loading(server, shape) as process:
        process.send_signal(number)
        interrupted, duration_s, samples, censored = json.loads(last_line(process))
    assert (interrupted, samples, censored) == (name, server.count, 0)
    assert duration_s < 20
    assert process.returncode == 0


@pytest.mark.parametrize("shape", SHAPES)
def test_a_second_signal_ends_everything_at_once(server, shape):
    with loading(server, shape, "/hang", stop_timeout_s=600) as process:
        interrupt_twice(process)
        assert last_line(process) == "KeyboardInterrupt"


def test_users_that_sleep_with_the_standard_library_saturate_the_generator(server):
    def sleep(user):
        user.client.get("/")
        time.sleep(0.05)

    result = run(visitor("", tasks=[sleep]), server.url, hold(3, 0.6))
    assert result.generator.loop_lag_p99_ms > 20
    assert any(reason.startswith("generator saturated") for reason in find_reasons(result, Scenario(name="x"), ()))


def test_one_long_block_saturates_the_generator_although_no_percentile_of_the_lags_shows_it(server):
    blocked = []

    def block_once(user):
        user.client.get("/")
        if not blocked:
            blocked.append(user)
            time.sleep(0.3)

    result = run(visitor("", tasks=[block_once]), server.url, hold(2, 2))
    assert result.generator.blocked_ratio > 0.1
    reasons = find_reasons(result, Scenario(name="x"), ())
    assert any("its event loop stood still for" in reason for reason in reasons)


def test_a_user_that_blocks_the_loop_for_good_is_ended(server, monkeypatch):
    monkeypatch.setattr(interrupts, "BLOCKED_AFTER_S", 0.3)

    def block(user):
        user.client.get("/")
        time.sleep(3600)

    result = run(visitor("", tasks=[block]), server.url, hold(2, 0.2))
    assert [(death.where, death.error, death.count) for death in result.facts.user_deaths] == [
        ("Visitor", "LoopBlocked: blocked the event loop for more than 0.3 s; users must not block", 2)
    ]
    assert len(result.samples) == server.count == 2


def test_a_shape_or_a_listener_that_blocks_the_loop_for_good_is_an_error(server, monkeypatch):
    monkeypatch.setattr(interrupts, "BLOCKED_AFTER_S", 0.2)

    class Blocking(LoadTestShape):
        def tick(self):
            time.sleep(3600)

    message = "a shape or a listener, blocked the event loop for more than 0.2 s"
    with pytest.raises(EngineError, match=message):
        run(visitor("/"), server.url, Blocking)
    listener = events.test_start.add_listener(lambda **_: time.sleep(3600))
    try:
        with pytest.raises(EngineError, match=message):
            run(visitor("/"), server.url)
    finally:
        events.test_start.remove_listener(listener)
    assert server.count == 0


def test_a_long_wait_for_users_to_stop_is_no_blocked_loop(server, monkeypatch):
    monkeypatch.setattr(interrupts, "BLOCKED_AFTER_S", 0.5)
    result = run(visitor("/hang"), server.url, hold(1, 0.1), stop_timeout_s=1.2, monitor=Watch())
    assert result.samples.censored == 1
    assert result.facts.user_deaths == ()


def take_turns(path, first_uid: int, second_uid: int) -> None:
    """Have two processes of these users want the turn; the second waits, gets it, and is killed."""
    with mortal(start(HOLDING, path, first_uid)) as first:
        assert next_line(first) == "turn\n"
        with mortal(start(HOLDING, path, second_uid)) as second:
            assert next_line(second) == "waits\n"
            first.communicate("\n", timeout=30)
            assert next_line(second) == "turn\n"
    with machine_turn(lambda: pytest.fail("a dead process has the turn"), path):
        pass


def test_loads_of_two_processes_take_turns(tmp_path):
    take_turns(tmp_path / "lock", os.getuid(), os.getuid())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else for a moment")
@pytest.mark.parametrize("root_is_first", [True, False])
def test_loads_of_two_users_take_turns(root_is_first):
    uids = (0, pwd.getpwnam("nobody").pw_uid)
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o1777)  # As /tmp is: everybody may make files, only their owners may remove them.
        take_turns(Path(directory) / "lock", *(uids if root_is_first else uids[::-1]))
