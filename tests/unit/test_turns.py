"""One load at a time on a machine."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tailgate import turns
from tailgate.turns import machine_turn
from tests.children import mortal, next_line

HOLDER = """
import sys, time
from pathlib import Path
from tailgate.turns import machine_turn
with machine_turn(lambda: None, Path(sys.argv[1])):
    print("mine", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "load.lock"


@pytest.fixture
def holder(path):
    """Another process that has the turn."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True)
    with mortal(process):
        assert next_line(process) == "mine\n"
        yield process


def test_a_free_machine_is_taken_without_waiting(path):
    waits = []

    with machine_turn(lambda: waits.append(1), path):
        pass
    with machine_turn(lambda: waits.append(1), path):
        pass

    assert waits == []


def test_another_process_is_waited_for_until_it_ends_however_it_ends(path, holder):
    waits = []

    def on_wait():
        waits.append(1)
        os.kill(holder.pid, signal.SIGKILL)

    with machine_turn(on_wait, path):
        assert waits == [1]


def test_the_turn_is_given_back_after_an_error(path):
    waits = []

    with pytest.raises(KeyError), machine_turn(lambda: waits.append(1), path):
        raise KeyError
    with machine_turn(lambda: waits.append(1), path):
        pass

    assert waits == []


def test_another_thread_of_the_process_waits_too(path):
    is_waiting, order = threading.Event(), []

    def other():
        with machine_turn(is_waiting.set, path):
            order.append("other")

    with machine_turn(lambda: None, path):
        thread = threading.Thread(target=other)
        thread.start()
        assert is_waiting.wait(10)
        order.append("first")
    thread.join(10)

    assert order == ["first", "other"]


def test_every_user_of_the_machine_may_lock_the_file(path):
    before = os.umask(0o077)
    try:
        with machine_turn(lambda: None, path):
            pass
    finally:
        os.umask(before)

    assert path.stat().st_mode & 0o777 == 0o666


def test_the_file_is_the_same_for_everybody_by_default(path, monkeypatch):
    assert Path("/tmp/tailgate-load.lock") == turns.LOCK_PATH  # whatever TMPDIR is

    monkeypatch.setattr(turns, "LOCK_PATH", path)
    with machine_turn(lambda: None):
        assert path.exists()
