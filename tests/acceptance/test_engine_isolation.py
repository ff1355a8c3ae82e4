"""Nothing of a run is left in the process, and nothing else in the process is touched by it."""

import asyncio
import gc
import ssl
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import gevent
import psutil
import pytest
from gevent import monkey
from locust import FastHttpUser, TaskSet, constant, events, tag, task
from locust.env import Environment
from locust.event import EventHook
from locust.runners import Runner
from locust.stats import RequestStats

from tests.acceptance.engine_runs import hold, run, visitor

pytest_plugins = ["tests.acceptance.engine_fixtures"]

LIBRARIES = (
    "import asyncio, ssl, threading, requests; session = requests.Session(); ssl.create_default_context()\n"
    "import tailgate.engine\n"
)


class Tree(FastHttpUser):
    host = "http://the.original"
    wait_time = constant(0.005)

    @tag("get")
    @task
    def get(self):
        self.client.get("/get")

    @task
    class Branch(TaskSet):
        @tag("get")
        @task
        def inner(self):
            self.client.post("/inner")
            self.interrupt()

        @task
        def other(self):
            self.interrupt()


def alive(*kinds: type) -> list[object]:
    gc.collect()
    return [thing for thing in gc.get_objects() if isinstance(thing, kinds) and not getattr(thing, "dead", False)]


def listeners() -> int:
    return sum(len(hook._handlers) for hook in vars(events).values() if isinstance(hook, EventHook))


def state(of: type) -> dict[str, object]:
    return {name: list(value) if name == "tasks" else value for name, value in vars(of).items()}


@pytest.fixture
def measured(server) -> Callable[[], dict[str, int]]:
    """Return what counts all that a run could leave behind; the first run, which sets up gevent, is over."""
    run(Tree, server.url, hold(2, 0.1))
    process = psutil.Process()

    def measure() -> dict[str, int]:
        return {
            "greenlets": len(alive(gevent.Greenlet)),
            "Locust's objects": len(alive(Runner, Environment, RequestStats)),
            "subclasses": len(alive(type(Tree))),
            "listeners": listeners(),
            "connections": len([link for link in process.net_connections() if link.status == "ESTABLISHED"]),
            "descriptors": process.num_fds(),
            "threads": process.num_threads(),
        }

    return measure


def assert_back_to(before: dict[str, int], measured: Callable[[], dict[str, int]]) -> None:
    """Compare, with patience for threads that were told to end and connections that the server has yet to close."""

    def grown() -> dict[str, int]:
        # What others left before, such as a thread or a connection of another test, may end meanwhile.
        return {name: count for name, count in measured().items() if count > before[name]}

    with gevent.Timeout(10, False):
        while grown():
            gevent.sleep(0.05)
    assert grown() == {}
    assert measured()["listeners"] == before["listeners"]


def test_a_dozen_runs_leave_nothing_behind(server, measured):
    before = measured()
    originals = [state(kind) for kind in (Tree, Tree.Branch)]
    for number in range(12):
        path = ("/", "/hang", "/close")[number % 3]
        run([Tree, visitor(path)], server.url, hold(4, 0.08), tags=(), stop_timeout_s=0.1)
        run(Tree, server.url, hold(2, 0.05), tags=["get"])
    assert_back_to(before, measured)
    assert [state(kind) for kind in (Tree, Tree.Branch)] == originals


def test_memory_does_not_grow_from_run_to_run(server):
    """One sample takes 21 bytes; what a run left behind, a user or its environment, would be tens of kilobytes each."""
    run(Tree, server.url, hold(3, 0.1))
    tracemalloc.start()
    try:
        sizes = []
        for _ in range(6):
            run(Tree, server.url, hold(3, 0.1))
            gc.collect()
            sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert sizes[-1] - sizes[1] < 40_000


def test_a_run_that_raises_leaves_nothing_behind(server, measured):
    class Angry:
        def on_stage_begin(self, stage):
            return None

        def on_progress(self, live):
            raise ArithmeticError("a monitor of no use")

    before = measured()
    for _ in range(3):
        with pytest.raises(ArithmeticError):
            run(visitor("/hang"), server.url, hold(3, 0.3), monitor=Angry(), stop_timeout_s=0.1)
    assert_back_to(before, measured)


def test_names_are_looked_up_without_leaving_threads(server, measured):
    before = measured()
    run(Tree, server.url.replace("127.0.0.1", "localhost"), hold(3, 0.1))
    assert_back_to(before, measured)


def test_signal_handlers_and_the_environment_are_as_before(server):
    import os
    import signal

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers], dict(os.environ)
    run(Tree, server.url, hold(1, 0.1))
    assert ([signal.getsignal(number) for number in numbers], dict(os.environ)) == before


def test_nothing_is_patched(server):
    run(Tree, server.url, hold(1, 0.1))
    assert not [name for name in monkey.saved if monkey.is_module_patched(name)]
    assert not any(monkey.is_module_patched(name) for name in ("socket", "ssl", "threading", "select", "time"))


def test_a_run_works_beside_threads_and_asyncio(server):
    async def in_a_loop() -> int:
        ticking = asyncio.create_task(asyncio.sleep(0.01, "ticked"))
        result = run(Tree, server.url, hold(2, 0.2))
        assert await ticking == "ticked"
        return len(result.samples)

    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(threading.get_ident) for _ in range(2)]
        assert asyncio.run(in_a_loop()) == server.count > 0
        assert threading.get_ident() not in [future.result(5) for future in futures]
    assert ssl.create_default_context().verify_mode is ssl.CERT_REQUIRED


def test_a_process_that_uses_other_libraries_runs_without_a_warning(server, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        LIBRARIES + "from tests.acceptance.engine_runs import hold, run, visitor\n"
        "import gc, sys\n"
        "for path in ('/', '/hang', '/close', '/cut', '/big/1000000'):\n"
        "    result = run(visitor(path), sys.argv[1], hold(2, 0.15), stop_timeout_s=0.1, request_timeout_s=0.2)\n"
        "    assert len(result.samples)\n"
        "    gc.collect()\n"
        "assert session.get(sys.argv[1]).status_code == 200\n"
        "session.close()\n"
        "assert asyncio.run(asyncio.sleep(0, 'slept')) == 'slept'\n"
    )
    done = python(script, server.url)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_process_that_was_patched_is_refused(server, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from gevent import monkey; monkey.patch_all()\n"
        "import sys\n"
        "from tests.acceptance.engine_runs import run, visitor\n"
        "run(visitor('/'), sys.argv[1])\n"
    )
    done = python(script, server.url)
    assert (
        "BadInput: load: gevent has monkey patched this process (select, socket, ssl, threading, time)" in done.stderr
    )
    assert server.count == 0


def python(script, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-X", "dev", str(script), *arguments]
    return subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=60, env={"PYTHONPATH": ":".join(sys.path)}
    )
