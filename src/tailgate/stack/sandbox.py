"""A place for a throw-away stack: a directory, ports and processes that are gone in the end, however it ends."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tailgate.errors import TailgateError
from tailgate.stack.accounts import Account, can_read, unprivileged_account

GUARD_TIMEOUT_S = 60.0
"""The guard's own graces add up to less."""

MEMORY = Path("/dev/shm")  # noqa: S108 - the sandbox's own name in it cannot be guessed
MEMORY_BYTES = 2**30
"""What must be free in it."""

# The shell's standard input is the guard's pipe. The process announces itself before it becomes the service, and the
# guard sees the end of the pipe only after every process that was forked has done so: there is no moment at which the
# session can be killed and leave a service behind that the guard does not know.
_ANNOUNCE_AND_EXEC = 'echo "group $$ $1" >&0 && shift && exec "$@" </dev/null'


class Sandbox:
    """A directory, ports and processes that vanish together, even when this process is killed with SIGKILL.

    Use it as a context manager; the other blocks take it as their first argument. Leaving it stops what still runs.

    Attributes:
        directory: Everything in it is removed in the end. Other accounts can pass through, not list it.
        account: Who servers that refuse to be root run as; None when we are not root.
    """

    def __init__(self) -> None:
        self.account = unprivileged_account()
        self.directory = _temporary_root(self.account) / f"tailgate-{secrets.token_hex(6)}"
        self._exits = contextlib.ExitStack()
        self._pipe = -1
        self._guard: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        if self._guard is not None:
            raise TailgateError("a sandbox can be entered once only; make a new one")
        command = [sys.executable, "-I", "-S", str(Path(__file__).with_name("guard.py")), str(os.getpid())]
        # The pipe is not inheritable (PEP 446), so no service can hold it open.
        read_end, self._pipe = os.pipe()
        self._guard = subprocess.Popen(
            command,
            stdin=read_end,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,  # Ctrl-C at the terminal goes to pytest, not to its guard
        )
        os.close(read_end)
        try:
            self._make(self.directory)
        except OSError as err:
            self._end()
            raise TailgateError(f"cannot make a directory for the stack: {err}") from err
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._exits.close()
        finally:
            self._end()

    def port(self) -> int:
        """Reserve a TCP port of 127.0.0.1 for as long as the sandbox lives.

        The port is held by a socket that is bound and never listens. So the kernel gives it to nobody else, neither
        for port 0 nor as the source of a connection; a server that sets SO_REUSEADDR (all usual ones do) can listen on
        it, again and again; and while none does, connections are refused.
        """
        holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        self._exits.callback(holder.close)
        return int(holder.getsockname()[1])

    def at_exit(self, end: Callable[[], None]) -> None:
        """Call ``end`` when the sandbox is left, the latest first; the guard does without."""
        self._exits.callback(end)

    def claim(self, directory: Path) -> None:
        """Have a directory that somebody else is about to make removed in the end, like the sandbox's own."""
        self._tell(f"directory {directory}")

    def claim_project(self, name: str) -> None:
        """Have all that docker compose makes for a project removed in the end, and who still works on it killed."""
        self._tell(f"project {name}")

    def folder(self, name: str, *, account: Account | None = None, prefers_memory: bool = False) -> Path:
        """Make a private folder that vanishes with the sandbox.

        Args:
            name: Unique in the sandbox.
            account: Whose it is; None is ourselves.
            prefers_memory: Put it into a file system in memory when the machine has a roomy one. Making a database
                there takes half as long, and no disk adds its own moods to what is measured.
        """
        parent = self.directory
        if prefers_memory and _has_room_in_memory():
            parent = MEMORY / self.directory.name
            if not parent.exists():
                self._make(parent)
        folder = parent / name
        folder.mkdir(mode=0o700)
        if account is not None:
            os.chown(folder, account.uid, account.gid)
        return folder

    def spawn(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        log: Path,
        stop_signal: int,
        account: Account | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a program as the leader of its own session and process group, known to the guard before it runs.

        Args:
            argv: Program and arguments.
            env: Its whole environment.
            cwd: Its working directory.
            log: File to append its output to.
            stop_signal: What ends it in good order.
            account: Who it runs as; None is ourselves.

        Raises:
            TailgateError: The guard is gone, so nothing may be started.
        """
        if self._guard is None or self._guard.poll() is not None:
            raise TailgateError(
                f"cannot start {argv[0]}: the sandbox was not entered, or has ended, or its guard was killed"
            )
        with log.open("ab") as output, _interrupts_not_ignored():
            return subprocess.Popen(
                ["/bin/sh", "-c", _ANNOUNCE_AND_EXEC, "sh", str(int(stop_signal)), *argv],
                stdin=self._pipe,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(env),
                cwd=cwd,
                start_new_session=True,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=() if account else None,
            )

    def forget(self, pid: int) -> None:
        """Tell the guard that the process group of ``pid`` is gone, before the number can be used again."""
        with contextlib.suppress(BrokenPipeError):  # without a guard there is nobody who has to forget it
            self._tell(f"forget {pid}")

    def _make(self, directory: Path) -> None:
        """Make a directory that the guard knows before it exists."""
        self._tell(f"directory {directory}")
        directory.mkdir(mode=0o700)
        if self.account is not None:
            directory.chmod(0o711)

    def _end(self) -> None:
        """Let the guard clean up and wait for it."""
        assert self._guard is not None
        os.close(self._pipe)
        try:
            code = self._guard.wait(timeout=GUARD_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            code = None
        if code != 0:
            raise TailgateError(f"something may be left in {self.directory}: its guard ended with {code}")

    def _tell(self, order: str) -> None:
        """Write one order; short enough to arrive in one piece."""
        os.write(self._pipe, os.fsencode(order + "\n"))


def _has_room_in_memory() -> bool:
    """Tell whether everybody may write to `MEMORY`, and enough is free: containers often have 64 MB."""
    try:
        return MEMORY.stat().st_mode & 0o1777 == 0o1777 and shutil.disk_usage(MEMORY).free >= MEMORY_BYTES  # noqa: PLR2004
    except OSError:
        return False


def _temporary_root(account: Account | None) -> Path:
    """Return the folder for temporary files, or a usual one that ``account`` can reach."""
    root = Path(tempfile.gettempdir())
    if account is None or can_read(account, root):
        return root
    return next((path for path in (Path("/tmp"), Path("/var/tmp")) if can_read(account, path)), root)  # noqa: S108


@contextlib.contextmanager
def _interrupts_not_ignored() -> Iterator[None]:
    """Let a program that is started in here be ended by SIGINT.

    A shell starts background jobs with SIGINT ignored, pytest inherits that, and so would PostgreSQL, which SIGINT
    tells to end in good order; killed instead, it leaves shared memory behind.
    """
    is_ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    if not is_ignored or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
