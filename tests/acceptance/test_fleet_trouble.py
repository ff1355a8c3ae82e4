"""Workers that die, fall silent, come late, are of another version, or do not come at all."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest
from locust import __version__ as locust_version
from locust import runners
from locust.env import Environment
from locust.event import Events
from locust.rpc import Message
from locust.rpc.zmqrpc import Client

from tailgate.distributing import ExpectedWorkers
from tailgate.engine.fleet import fleet, muster
from tailgate.engine.fleet.wire import Greeting
from tailgate.engine.fleet.worker import WaitingRunner
from tailgate.errors import BadInput, EngineError
from tailgate.stack.sandbox import Sandbox
from tailgate.worker_options import WorkerOptions
from tests.acceptance.engine_runs import hold
from tests.acceptance.fleet_runs import ROOT, Crew, Then, reasons_of, run_in_workers, run_with
from tests.acceptance.fleet_users import Lossy, Stopper, Visitor

pytest_plugins = ["tests.acceptance.engine_fixtures"]

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def expecting(count: int, port: int, *, timeout_s: float = 60, said=None) -> ExpectedWorkers:
    options = WorkerOptions(count=count, is_expecting=True, host="127.0.0.1", port=port, timeout_s=timeout_s)
    return ExpectedWorkers(options, (said if said is not None else []).append)


@pytest.fixture
def port() -> int:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        return holder.getsockname()[1]


@pytest.fixture
def start_worker(port):
    """Start ``tailgate worker`` with further arguments."""
    started = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tailgate", "worker", "--master", f"127.0.0.1:{port}", "--path", str(ROOT)]
        process = subprocess.Popen([*command, *arguments], env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_worker_that_is_killed_is_named_and_what_it_reported_is_kept(server):
    def watch(crew):
        return Then(0.6, lambda: crew.signal("2", signal.SIGKILL))

    result = run_in_workers([Visitor], server.url, hold(4, 20), monitor=watch)
    reported = result.generator.workers[1].samples
    assert result.duration_s < 10
    assert reported > 0
    assert sum(worker.samples for worker in result.generator.workers) == len(result.samples) <= server.count
    told = f"worker 2 was killed by SIGKILL; the {reported} requests that it had reported until then are kept"
    assert result.facts.stopped == told
    assert f"ended early, after {result.duration_s:.1f} s: {told}" in reasons_of(result)


def test_a_worker_that_falls_silent_is_named_and_is_gone_afterwards(server, monkeypatch):
    monkeypatch.setattr(fleet, "SILENT_AFTER_S", 1.5)
    pids = []

    def watch(crew):
        return Then(0.5, lambda: (pids.extend(crew.pids), crew.signal("1", signal.SIGSTOP)))

    result = run_in_workers([Visitor], server.url, hold(4, 20), monitor=watch)
    assert result.duration_s < 10
    assert result.facts.stopped.startswith("worker 1 fell silent for 1.5 s; the ")
    assert len(result.samples) == sum(worker.samples for worker in result.generator.workers)
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_a_worker_that_begins_late_makes_the_run_invalid(server, monkeypatch):
    crews = []
    set_clock = fleet.Fleet.set_clock

    def hold_one_back(self):
        crews[0].signal("2", signal.SIGSTOP)
        threading.Timer(0.9, lambda: crews[0].signal("2", signal.SIGCONT)).start()
        return set_clock(self)

    monkeypatch.setattr(fleet.Fleet, "set_clock", hold_one_back)
    result = run_in_workers([Visitor], server.url, hold(4, 3), monitor=lambda crew: crews.append(crew) or Then(9, None))
    (problem,) = result.facts.worker_problems
    assert re.fullmatch(r"worker 2 joined late: it began (0\.[5-9]|[1-9]\.\d) s after the run did", problem)
    assert problem in reasons_of(result)
    assert len(result.samples) == server.count


def test_a_worker_that_ends_before_the_run_is_an_error_with_its_log(server):
    class Broken(Crew):
        def start(self, port):
            super().start(port)
            self.signal("1", signal.SIGKILL)

    with Sandbox() as sandbox, pytest.raises(EngineError, match="worker 1 was killed by SIGKILL before the run began"):
        run_with(Broken(sandbox, 2, ROOT, lambda text: None), [Visitor], server.url)
    assert server.count == 0


def test_user_code_that_stops_a_worker_ends_the_run(server):
    result = run_in_workers([Stopper], server.url, hold(2, 20))
    assert result.duration_s < 10
    assert re.fullmatch(r"worker [12] left: user code stopped Locust's runner", result.facts.stopped)


def test_workers_that_somebody_starts_serve_one_run_after_the_other_and_leave_in_order(server, port, start_worker):
    workers = [start_worker("--name", "a"), start_worker("--name", "b")]
    for _ in range(2):
        result = run_with(expecting(2, port), [Visitor], server.url)
        assert [worker.name for worker in result.generator.workers] == ["a", "b"]
        assert min(worker.samples for worker in result.generator.workers) > 0
        assert (result.facts.stopped, result.facts.worker_problems) == ("", ())
    for worker in workers:
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(timeout=20) == 0


def test_a_worker_that_is_told_to_leave_tells_what_it_did(server, port, start_worker):
    worker = start_worker("--name", "a")
    monitor = Then(0.5, lambda: worker.send_signal(signal.SIGTERM))
    result = run_with(expecting(1, port), [Visitor], server.url, hold(4, 20), monitor=monitor)
    assert result.facts.stopped == "worker a left: SIGTERM"
    assert len(result.samples) == server.count
    assert worker.wait(timeout=20) == 0


def test_workers_that_do_not_come_are_counted_and_nothing_is_sent(server, port, monkeypatch):
    monkeypatch.setattr(muster, "_SAY_S", 0.1)
    plain = Client("127.0.0.1", port, "plain")
    plain.send(Message("client_ready", locust_version, "plain"))
    said = []
    try:
        with pytest.raises(BadInput) as caught:
            run_with(expecting(2, port, timeout_s=1.4, said=said), [Visitor], server.url)
    finally:
        plain.socket.context.destroy(linger=0)
    assert str(caught.value) == (
        f"workers: 0 of 2 came to 127.0.0.1:{port} within 1.4 s; 1 of plain Locust cannot be used; start each by "
        f"tailgate worker --master 127.0.0.1:{port}"
    )
    assert said[0] == f"waiting for workers at 127.0.0.1:{port}: 0 of 2 came; 1 s left"
    assert server.count == 0


def test_a_wait_for_a_second_worker_can_be_interrupted_and_the_first_ends_in_order(port, start_worker, monkeypatch):
    monkeypatch.setattr(muster, "_SAY_S", 0.1)
    start_worker("--name", "a")

    def interrupt(text):
        if "1 of 2 came" in text:
            signal.raise_signal(signal.SIGINT)

    options = WorkerOptions(count=2, is_expecting=True, host="127.0.0.1", port=port, timeout_s=60)
    result = run_with(ExpectedWorkers(options, interrupt), [Visitor], f"http://127.0.0.1:{port}")
    assert (result.facts.interrupted, result.facts.worker_problems) == ("Ctrl-C", ())


def test_a_worker_that_waits_for_a_master_for_long_keeps_nothing_of_its_attempts(port, monkeypatch):
    monkeypatch.setattr(runners, "CONNECT_TIMEOUT", 0.01)
    monkeypatch.setattr(runners, "CONNECT_RETRY_COUNT", 1)
    process = psutil.Process()
    before = process.num_fds(), process.num_threads()
    for _ in range(3):
        with pytest.raises(ConnectionError):
            WaitingRunner(Environment(events=Events(), user_classes=[]), "127.0.0.1", port)
    assert (process.num_fds(), process.num_threads()) <= before


def test_a_report_that_is_lost_is_told(server):
    result = run_in_workers([Lossy], server.url, hold(2, 20), count=1)
    assert result.duration_s < 10
    assert re.fullmatch(r"worker 1 could not report \d+ requests?; its log tells why", result.facts.stopped)
    assert 0 < len(result.samples) < server.count


def test_a_worker_more_than_expected_is_noted(server, port, start_worker):
    start_worker("--name", "a")
    start_worker("--name", "a")
    result = run_with(expecting(1, port), [Visitor], server.url, hold(2, 3))
    assert result.facts.worker_problems == ()
    assert result.notes == (f"worker a on {socket.gethostname()} came when the run had 1, and was not used",)


def test_another_version_is_refused_on_both_sides(server, port, start_worker, monkeypatch):
    own = Greeting(name="pytest", host="here", pid=1, tailgate="99.0", locust="0.1", python="3")
    monkeypatch.setattr(muster, "greet", lambda *_: own)
    worker = start_worker("--name", "a")
    with pytest.raises(BadInput, match=r"worker a on \S+ has tailgate \S+ where pytest has 99.0 and locust"):
        run_with(expecting(1, port), [Visitor], server.url)
    _, output = worker.communicate(timeout=20)
    assert "install the same versions" in output
    assert worker.returncode == 3
    assert server.count == 0


def test_a_busy_address_is_bad_input(server):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        taken = holder.getsockname()[1]
        with pytest.raises(BadInput, match=f"--perf-bind: cannot listen on 127.0.0.1:{taken} for workers"):
            run_with(expecting(1, taken), [Visitor], server.url)


def test_a_host_that_workers_cannot_reach_is_told_once(port):
    with pytest.raises(BadInput, match=f"nobody answers at http://127.0.0.1:{port} .*\\(worker 1, 2\\)"):
        run_in_workers([Visitor], f"http://127.0.0.1:{port}")


LOADING = """
import json, sys
from pathlib import Path
import tailgate.engine
from tests.acceptance.engine_runs import Watch, hold
from tests.acceptance.fleet_runs import Then, run_in_workers, run_with
from tests.acceptance.fleet_users import Visitor

result = run_in_workers(
    [Visitor], {url!r}, hold(4, 30), monitor=lambda crew: Then(0.5, lambda: print(json.dumps(crew.pids), flush=True))
)
print(json.dumps([result.facts.interrupted, len(result.samples), result.facts.worker_problems]))
"""


@contextmanager
def start(code: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_worker_outlives_pytest_whichever_way_it_ends(server, number):
    with start(LOADING.format(url=server.url)) as process:
        pids = json.loads(process.stdout.readline())
        process.send_signal(number)
        output, _ = process.communicate(timeout=30)
    if number == signal.SIGINT:
        assert json.loads(output) == ["Ctrl-C", server.count, []]
    _, alive = psutil.wait_procs([psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)], timeout=20)
    assert alive == []


LEADING = """
import tailgate.engine
from tests.acceptance.test_fleet_trouble import *

monitor = Then(0.5, lambda: print("loading", flush=True))
run_with(expecting(1, {port}), [Visitor], {url!r}, hold(2, 60), monitor=monitor)
"""

FOLLOWING = """
import sys
from gevent import monkey
monkey.patch_all()
from tailgate.engine.fleet import worker

worker.MASTER_SILENT_AFTER_S = 2.5
sys.exit(worker.work("127.0.0.1", {port}, name="a", is_once=True))
"""


def test_a_worker_whose_master_is_gone_loads_nobody(server, port):
    with start(FOLLOWING.format(port=port)) as worker:
        with start(LEADING.format(port=port, url=server.url)) as process:
            assert process.stdout.readline() == "loading\n"
            process.kill()
        assert worker.wait(timeout=20) == 0
    assert server.count > 0
