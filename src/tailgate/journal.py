"""Keep on disk what a session has measured until its reports are written, so that a crash loses next to nothing."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any

from tailgate.journal_frames import MAGIC, render_frame

if TYPE_CHECKING:
    from filelock import FileLock

    from tailgate.run import RunResult
    from tailgate.samples import Columns

_Entry = tuple[Sequence[tuple[str, str]], Sequence["Columns"], "RunResult"]
DIRECTORY = Path(".tailgate", "runs")
"""Below the root directory of the tests; each session has a directory of its own in there."""
RUN_SUFFIX, RECORDS_SUFFIX, LOCK_SUFFIX = ".run", ".records", ".lock"
MAIN = "main"
"""Name of the process that is no worker of xdist."""


class RunJournal:
    """The file of one run: a header, and then every few seconds what was measured since.

    Writing is the work of a thread: a disk that is slow must not hold up the event loop. A disk that is full ends the
    journal and not the run.
    """

    def __init__(self, path: Path, header: Mapping[str, Any]) -> None:
        """Begin the file; what goes wrong is a ``problem``, for the run goes on without."""
        self.problem = ""
        """Why nothing was kept from then on; empty if all was."""
        self.has_samples = False
        """Whether there is more in it than its header."""
        self._path = path
        self._entries: SimpleQueue[tuple[Sequence[tuple[str, str]], Sequence[Columns], RunResult] | None] = (
            SimpleQueue()
        )
        self._write(MAGIC + render_frame({"byteorder": sys.byteorder, **header}), mode="wb")
        self._thread = Thread(target=self._write_all, name="tailgate-journal", daemon=True)
        self._thread.start()

    def __call__(self, pairs: Sequence[tuple[str, str]], pieces: Sequence[Columns], so_far: RunResult) -> None:
        """Have requests written, and with them the run as far as it got; see ``tailgate.engine.monitor.Keep``."""
        self.has_samples = True
        self._entries.put((pairs, pieces, so_far))

    def close(self) -> None:
        """Wait until everything is written; a second call changes nothing."""
        self._entries.put(None)
        self._thread.join()

    def remove(self) -> None:
        """Delete the file: the run is reported otherwise."""
        self.close()
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _write_all(self) -> None:
        while (entry := self._entries.get()) is not None:
            if not self.problem:
                self._write(_render_entry(*entry), mode="ab")

    def _write(self, data: bytes, mode: str) -> None:
        try:
            with self._path.open(mode, buffering=0) as file:
                file.write(data)
        except OSError as error:
            self.problem = f"{self._path}: {error.strerror or error}"


def _render_entry(pairs: Sequence[tuple[str, str]], pieces: Sequence[Columns], so_far: RunResult) -> bytes:
    from tailgate.run_state import render_run  # noqa: PLC0415 - NumPy only for a load

    columns = {
        name: b"".join(piece[name].tobytes() for piece in pieces)
        for name in ("key_index", "start_s", "latency_ms", "outcome")
    }
    sizes = {name: len(column) for name, column in columns.items()}
    return render_frame({"run": render_run(so_far), "pairs": pairs, "columns": sizes}, b"".join(columns.values()))


class SessionJournal:
    """What one process of a session keeps on disk; the directory is made when there is something to keep."""

    def __init__(self, directory: Path, process: str = MAIN) -> None:
        """Keep things in ``directory``, which the processes of a session share."""
        self.directory = directory
        self._process = process
        self._runs = 0
        self._lock: FileLock | None = None

    def begin_run(self, header: Mapping[str, Any]) -> RunJournal:
        """Begin the journal of a run."""
        self._runs += 1
        problem = self._begin()
        journal = RunJournal(self.directory / f"{self._process}-{self._runs}{RUN_SUFFIX}", header)
        journal.problem = problem or journal.problem
        return journal

    def keep_record(self, record: Mapping[str, Any]) -> None:
        """Keep the record of a judged run; one that cannot be written is still in the reports of the session."""
        path = self.directory / f"{self._process}{RECORDS_SUFFIX}"
        if self._begin():
            return
        with suppress(OSError), path.open("ab") as file:
            file.write((b"" if file.tell() else MAGIC) + render_frame({"record": record}))

    def records_of_others(self) -> list[Path]:
        """Return the files in which other processes of the session kept the records of runs that they had judged."""
        return [path for path in sorted(self.directory.glob(f"*{RECORDS_SUFFIX}")) if path.stem != self._process]

    def release(self) -> None:
        """Say that this process is done; what it kept stays."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def end(self, *, is_reported: bool) -> str:
        """Delete what the session kept, if all of it is reported.

        Returns:
            The directory if it stays: for want of reports, for a run that was never judged since its process died, or
            for a process that still runs.
        """
        self.release()
        if not self.directory.is_dir():
            return ""
        if not is_reported or any(self.directory.glob(f"*{RUN_SUFFIX}")) or is_running(self.directory):
            return str(self.directory)
        shutil.rmtree(self.directory, ignore_errors=True)
        for parent in (self.directory.parent, self.directory.parent.parent):
            with suppress(OSError):  # Where others have something in it.
                parent.rmdir()
        return ""

    def _begin(self) -> str:
        """Make the directory and lock it, the first time; return why that is not possible."""
        if self._lock is not None:
            return ""
        from filelock import FileLock  # noqa: PLC0415 - only for a load

        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            self.directory.joinpath(".gitignore").write_text("*\n", encoding="utf-8")
            lock = FileLock(self.directory / f"{self._process}{LOCK_SUFFIX}")
            lock.acquire(timeout=0)
        except OSError as error:
            return f"{self.directory}: {error.strerror or error}"
        self._lock = lock
        return ""


def session_directory(root: Path, pid: int) -> Path:
    """Return where a session that begins now keeps its runs."""
    return root / DIRECTORY / f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{pid}"


def is_running(directory: Path) -> bool:
    """Tell whether a process of the session still holds its lock; the system lets go of those of dead processes."""
    from filelock import FileLock, Timeout  # noqa: PLC0415 - only for a load

    for path in directory.glob(f"*{LOCK_SUFFIX}"):
        lock = FileLock(path)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return True
        except OSError:  # Of somebody else, or on a medium that cannot be written: nobody loads from there.
            continue
        lock.release()
    return False
