"""The building blocks of a stack, with real processes."""

import contextlib
import errno
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tailgate.errors import StackNotReady, TailgateError
from tailgate.stack import Postgres, Process, Sandbox, Stack, http_answers, tcp_accepts, wait_answers
from tests.acceptance.service_shop import wait_until
from tests.acceptance.stack_processes import is_alive

SERVICE = Path(__file__).with_name("small_service.py")


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def service(sandbox: Sandbox) -> Callable[..., Process]:
    """Make a process of the small service, not started."""

    def make(name: str = "shop") -> Process:
        port = sandbox.port()
        argv = [sys.executable, str(SERVICE), name, str(port), str(sandbox.directory / "notes")]
        return Process(sandbox, name, argv, port=port, ready=http_answers(f"http://127.0.0.1:{port}/"))

    return make


def test_a_process_is_started_asked_and_stopped_with_its_log_left(service):
    with service() as shop:
        shop.wait_ready()
        assert shop.is_running
        assert os.getpgid(shop.pid) == shop.pid
        assert shop.cpu_s() > 0
    assert not shop.is_running
    assert shop.pid is None
    assert shop.log_tail() == f"shop listens on {shop.port}"


def test_a_killed_process_refuses_connections_and_comes_back_on_its_port(service):
    shop = service().start().wait_ready()
    first_pid = shop.pid
    shop.kill()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", shop.port), timeout=1)
    shop.start().wait_ready()
    assert shop.pid != first_pid


def test_processor_time_is_kept_over_a_restart(service):
    shop = service().start().wait_ready()
    before = shop.cpu_s()
    shop.kill()
    assert shop.cpu_s() >= before > 0


def test_stop_leaves_no_child_behind_and_gives_up_waiting(sandbox):
    script = "trap '' TERM; sleep 600 & setsid sleep 600 & echo started; wait"
    stubborn = Process(sandbox, "stubborn", ["/bin/sh", "-c", script]).start()
    wait_until(lambda: "started" in stubborn.log_tail())
    leader = psutil.Process(stubborn.pid)
    wait_until(lambda: len(leader.children(recursive=True)) >= 2)
    family = [leader, *leader.children(recursive=True)]
    stubborn.stop(grace_s=0.1)
    assert [process for process in family if is_alive(process)] == []


def test_a_process_that_ends_by_itself_is_reported_and_one_that_we_kill_is_not(service):
    shops = {name: service(name).start() for name in ("shop-1", "shop-2", "shop-3")}
    stack = Stack(url="http://127.0.0.1:1", services=shops)
    stack.wait_ready()
    assert stack.check_alive() == []
    os.kill(shops["shop-1"].pid, signal.SIGKILL)
    os.waitid(os.P_PID, shops["shop-1"].pid, os.WEXITED | os.WNOWAIT)
    stack.kill("shop-2")
    assert stack.check_alive() == ["shop-1 was killed by SIGKILL"]
    for name in ("shop-1", "shop-2"):
        stack.start(name)
    stack.wait_ready()
    assert stack.check_alive() == []
    assert set(stack.cpu_s()) == set(shops)


def test_a_stack_names_the_processes_that_it_has(service):
    stack = Stack(url="http://127.0.0.1:1", services={"shop": service()})
    with pytest.raises(TailgateError, match=r"the stack has no process 'ship'; it has: shop$"):
        stack.kill("ship")
    assert not stack.is_external
    with pytest.raises(TailgateError, match=r"it has: none, because somebody else runs it$"):
        Stack(url="http://127.0.0.1:1").kill("shop")
    external = Stack(url="http://127.0.0.1:1")
    assert external.is_external
    assert external.service_cpu_s() is None


def test_a_process_that_exits_at_once_is_reported_at_once(sandbox):
    port = sandbox.port()
    argv = [sys.executable, "-c", "print('no database'); raise SystemExit(3)"]
    shop = Process(sandbox, "shop", argv, port=port, ready=http_answers(f"http://127.0.0.1:{port}/health"))
    with pytest.raises(StackNotReady) as caught:
        shop.start().wait_ready(timeout_s=60)
    error = caught.value
    assert error.waited_s < 20
    assert str(error) == (
        f"service 'shop' not ready after {error.waited_s:.1f} s "
        f"(GET http://127.0.0.1:{port}/health: exited with code 3)\n"
        "  shop | no database"
    )


def test_a_program_that_does_not_exist_is_reported_at_once(sandbox):
    with pytest.raises(StackNotReady, match=r"(?s)exited with code 127\).*no-such-program: not found"):
        Process(sandbox, "shop", ["no-such-program"], ready=tcp_accepts("127.0.0.1", 1)).start().wait_ready()


def test_a_service_that_answers_wrongly_is_not_ready(service, monkeypatch):
    shop = service().start().wait_ready()
    monkeypatch.setattr("tailgate.stack.process.POLL_S", 1.0)  # so long the last answer may take too
    shop.ready = http_answers(f"http://127.0.0.1:{shop.port}/unwell")
    with pytest.raises(StackNotReady) as caught:
        shop.wait_ready(timeout_s=0.2)
    assert caught.value.service == "shop"
    assert caught.value.url == f"GET http://127.0.0.1:{shop.port}/unwell"
    assert caught.value.last_error == "answered 503, wanted 200"
    assert caught.value.waited_s >= 0.2
    assert caught.value.log_tail == f"shop listens on {shop.port}"


def test_somebody_elses_service_that_does_not_answer_is_not_ready(sandbox):
    url = f"http://127.0.0.1:{sandbox.port()}"
    with pytest.raises(StackNotReady, match=rf"service 'stack' not ready after \d+\.\d s \(GET {url}: .*refused\)$"):
        wait_answers("stack", http_answers(url), timeout_s=0.1)


def test_a_port_is_ours_alone_until_the_sandbox_ends():
    with Sandbox() as sandbox:
        port = sandbox.port()
        with contextlib.closing(socket.socket()) as other, pytest.raises(OSError, match="in use") as caught:
            other.bind(("127.0.0.1", port))
        assert caught.value.errno == errno.EADDRINUSE
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=1)
    with contextlib.closing(socket.socket()) as other:
        other.bind(("127.0.0.1", port))


def test_nothing_starts_without_a_guard():
    with pytest.raises(TailgateError, match=r"^cannot start sleep: the sandbox was not entered"):
        Process(Sandbox(), "sleeper", ["sleep", "600"]).start()


def test_a_sandbox_without_its_guard_starts_nothing_more_and_says_so_in_the_end():
    sandbox = Sandbox().__enter__()
    sleeper = Process(sandbox, "sleeper", ["sleep", "600"]).start()
    guard = sandbox._guard  # this one's: the session's stack has a guard too
    os.kill(guard.pid, signal.SIGKILL)
    os.waitid(os.P_PID, guard.pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(TailgateError, match=r"or its guard was killed$"):
        Process(sandbox, "second", ["sleep", "600"]).start()
    with pytest.raises(TailgateError, match=r"^something may be left in .*: its guard ended with -9$"):
        sandbox.__exit__(None, None, None)
    assert not sleeper.is_running
    for path in sandbox.directory.iterdir():
        path.unlink()
    sandbox.directory.rmdir()


def test_two_databases_live_side_by_side_and_survive_a_kill():
    with Sandbox() as one, Sandbox() as two:
        stacks = [Postgres(one, settings={"max_connections": "20"}).start(), Postgres(two).start()]
        for postgres in stacks:
            postgres.wait_ready()
        assert stacks[0].port != stacks[1].port
        assert stacks[0].dsn != stacks[1].dsn
        stacks[0].kill()
        assert stacks[1].is_running
        stacks[0].start().wait_ready()
        directories = [one.directory, two.directory]
    assert [directory.exists() for directory in directories] == [False, False]


def test_a_database_with_a_setting_that_it_does_not_know_says_so_at_once(sandbox):
    with pytest.raises(StackNotReady, match=r"(?s)exited with code 1\).*unrecognized configuration parameter"):
        Postgres(sandbox, settings={"no_such_setting": "1"}).start().wait_ready()


def test_a_cluster_is_made_without_shared_memory_that_would_outlive_it(sandbox):
    postgres = Postgres(sandbox).start().wait_ready()
    written = Path(psutil.Process(postgres.pid).cwd(), "postgresql.conf").read_text()
    assert "\ndynamic_shared_memory_type = mmap" in written


def test_a_database_runs_from_a_copy_where_its_account_cannot_reach_the_installation(sandbox, monkeypatch):
    monkeypatch.setattr("tailgate.stack.accounts.can_read", lambda account, *paths: False)
    postgres = Postgres(sandbox).start().wait_ready()
    assert psutil.Process(postgres.pid).exe().startswith(str(sandbox.directory))


def test_a_database_refuses_a_wrong_password(sandbox):
    from tailgate.stack.probes import postgres_answers

    postgres = Postgres(sandbox).start().wait_ready()
    probe = postgres_answers("127.0.0.1", postgres.port, user="postgres", password="guess", database="postgres")
    with pytest.raises(ConnectionError, match=r"28P01 password authentication failed"):
        probe.attempt(5)
