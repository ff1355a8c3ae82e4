"""A supervised process: started, asked whether it is ready, killed, restarted, and stopped with all its children."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from tailgate.errors import StackNotReady, TailgateError
from tailgate.stack.accounts import Account
from tailgate.stack.members import Member
from tailgate.stack.probes import Probe
from tailgate.stack.sandbox import Sandbox

READY_TIMEOUT_S = 30.0
STOP_GRACE_S = 5.0
POLL_S = 0.01
"""How often a process is asked whether it is ready, or gone."""
ATTEMPT_TIMEOUT_S = 5.0
"""How long one ready probe may take; a process that ends meanwhile is noticed after it."""


class Process:
    """A process of the stack, with its own process group and log; as a context manager it is started and stopped.

    Args:
        sandbox: Where it lives, and what ends it when this process is killed.
        name: Unique in its sandbox; names the log.
        argv: Program and arguments; the same for every restart.
        env: Added to this process's own environment.
        cwd: Working directory; the sandbox's directory when not given.
        port: Where it will listen on 127.0.0.1, from `Sandbox.port`.
        ready: What tells that it is ready; without one it is ready when it runs.
        after: Processes that must be ready before this one is asked.
        stop_signal: What ends it in good order.
        account: Who it runs as; None is ourselves.
    """

    poll_s = POLL_S

    def __init__(
        self,
        sandbox: Sandbox,
        name: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        port: int | None = None,
        ready: Probe | None = None,
        after: Sequence[Member] = (),
        stop_signal: signal.Signals = signal.SIGTERM,
        account: Account | None = None,
    ) -> None:
        self.name = name
        self.port = port
        self.ready = ready
        self.after = tuple(after)
        self.log = sandbox.directory / f"{name}.log"
        self._sandbox = sandbox
        self._argv = tuple(argv)
        self._env = {**os.environ, **(env or {})}
        self._cwd = cwd or sandbox.directory
        self._stop_signal = stop_signal
        self._account = account
        self._popen: subprocess.Popen[bytes] | None = None
        self._ended_cpu_s = 0.0
        sandbox.at_exit(self.stop)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} pid={self.pid} exit_code={self.exit_code}>"

    @property
    def pid(self) -> int | None:
        """Process id, which is also its group's; None when it was not started, or was stopped or killed by us."""
        return self._popen.pid if self._popen else None

    @property
    def address(self) -> str:
        """``127.0.0.1:PORT``.

        Raises:
            TailgateError: The process was made without a port.
        """
        if self.port is None:
            raise TailgateError(f"process {self.name!r} has no port")
        return f"127.0.0.1:{self.port}"

    @property
    def exit_code(self) -> int | None:
        """Exit code, minus the signal's number when one ended it; None while it runs or when nobody started it."""
        if self._popen is None:
            return None
        # The process is looked at but not reaped: as long as it is a zombie nobody else gets its number.
        try:
            state = os.waitid(os.P_PID, self._popen.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return self._popen.wait()
        if state is None:
            return None
        return state.si_status if state.si_code == os.CLD_EXITED else -state.si_status

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._popen is not None and self.exit_code is None

    @property
    def unexpected_end(self) -> str | None:
        """How it ended, as text, unless it runs or we ended it."""
        code = self.exit_code
        return None if code is None else f"{self.name} {render_exit(code)}"

    def start(self) -> Self:
        """Start it without waiting; one that runs is left alone."""
        if self.is_running:
            return self
        self.stop()
        self._popen = self._sandbox.spawn(
            self._argv,
            env=self._env,
            cwd=self._cwd,
            log=self.log,
            stop_signal=self._stop_signal,
            account=self._account,
        )
        return self

    def kill(self) -> None:
        """End it and all its children with SIGKILL, as a crash would."""
        self._end(grace_s=0.0)

    def stop(self, *, grace_s: float = STOP_GRACE_S) -> None:
        """End it in good order, and with SIGKILL after ``grace_s`` seconds; no children are left."""
        self._end(grace_s=grace_s)

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the process alone, not to its children.

        Raises:
            TailgateError: It does not run.
        """
        if self._popen is None or self.exit_code is not None:
            raise TailgateError(f"process {self.name!r} does not run")
        os.kill(self._popen.pid, number)

    def restart(self) -> Self:
        """Stop it if it runs, and start it with the same arguments and port, without waiting."""
        self.stop()
        return self.start()

    def wait_ready(self, *, timeout_s: float = READY_TIMEOUT_S) -> Self:
        """Wait until its ready probe is answered.

        Raises:
            StackNotReady: It was not in time, or ended meanwhile, which is noticed at once.
        """
        wait_all_ready([self], timeout_s=timeout_s)
        return self

    def log_tail(self, lines: int = 20) -> str:
        """Return the last ``lines`` lines that it wrote."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - 65536))
                return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
        except FileNotFoundError:
            return ""

    def cpu_s(self) -> float:
        """Return the processor seconds that it and its children have used, over all restarts."""
        return self._ended_cpu_s + sum(map(_cpu_s, self._family()))

    def _family(self) -> list[psutil.Process]:
        """Return the process and its descendants, wherever these put themselves."""
        if self._popen is None:
            return []
        try:
            leader = psutil.Process(self._popen.pid)
            return [leader, *leader.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def _end(self, *, grace_s: float) -> None:
        """Signal the group, wait, and leave no member and no descendant; no matter if it has ended by itself."""
        if self._popen is None:
            return
        family = self._family()
        if grace_s and self.exit_code is None:
            _signal_group(self._popen.pid, self._stop_signal)
            deadline = time.monotonic() + grace_s
            while self.exit_code is None and time.monotonic() < deadline:
                time.sleep(POLL_S)
        self._ended_cpu_s += sum(map(_cpu_s, family))
        _signal_group(self._popen.pid, signal.SIGKILL)
        for member in family[1:]:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        self._sandbox.forget(self._popen.pid)
        self._popen.wait()
        deadline = time.monotonic() + STOP_GRACE_S
        while any(map(_is_alive, family[1:])) and time.monotonic() < deadline:
            time.sleep(POLL_S)
        self._popen = None


def wait_all_ready(members: Iterable[Member], *, timeout_s: float = READY_TIMEOUT_S) -> None:
    """Wait until every member is ready; they become so side by side.

    Raises:
        StackNotReady: One was not in time, or ended meanwhile, which is noticed at once.
    """
    everything = list(members)
    waiting = list(everything)
    errors: dict[str, str] = {}
    start = time.monotonic()
    while True:
        for member in everything:
            if not member.is_running:
                code = member.exit_code
                raise _not_ready(member, start, render_exit(code) if code is not None else "was not started")
        for member in [one for one in waiting if not set(one.after) & set(waiting)]:
            error = _ask(member.ready, timeout_s=start + timeout_s - time.monotonic()) if member.ready else None
            if error is None:
                waiting.remove(member)
            else:
                errors[member.name] = error
        if not waiting:
            return
        if time.monotonic() - start >= timeout_s:
            raise _not_ready(waiting[0], start, errors.get(waiting[0].name, "was not asked"))
        time.sleep(max(member.poll_s for member in waiting))


def wait_answers(service: str, probe: Probe, *, timeout_s: float) -> None:
    """Wait until somebody else's service is ready.

    Raises:
        StackNotReady: It was not in time.
    """
    start = time.monotonic()
    while error := _ask(probe, timeout_s=start + timeout_s - time.monotonic()):
        waited_s = time.monotonic() - start
        if waited_s >= timeout_s:
            raise StackNotReady(service=service, url=probe.url, waited_s=waited_s, last_error=error)
        time.sleep(POLL_S)


def _ask(probe: Probe, *, timeout_s: float) -> str | None:
    """Ask once; return what went wrong, or None when it is ready."""
    try:
        probe.attempt(min(ATTEMPT_TIMEOUT_S, max(POLL_S, timeout_s)))
    except Exception as err:  # noqa: BLE001 - whatever is wrong, the service is not ready, and the message says it
        return str(err) or type(err).__name__
    return None


def _not_ready(member: Member, start: float, error: str) -> StackNotReady:
    return StackNotReady(
        service=member.name,
        url=member.ready.url if member.ready else "",
        waited_s=time.monotonic() - start,
        last_error=error,
        log_tail=member.log_tail(),
    )


def render_exit(code: int) -> str:
    """Put an exit code in words."""
    if code >= 0:
        return f"exited with code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"


def _signal_group(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


def _is_alive(process: psutil.Process) -> bool:
    """Tell whether a process has not ended; an orphan's zombie is its new parent's business."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _cpu_s(process: psutil.Process) -> float:
    """Return a process's own processor seconds and those of children that it has waited for."""
    try:
        return float(sum(process.cpu_times()[:4]))
    except psutil.Error:
        return 0.0
