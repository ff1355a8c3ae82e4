"""Report the runs of sessions that ended before their reports were written: ``tailgate recover``."""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tailgate.journal import DIRECTORY
from tailgate.model import Verdict, count_of
from tailgate.recovered import Record, Session, read_session
from tailgate.reports.files import check_distinct, check_writable, write_text
from tailgate.reports.json_file import write_report
from tailgate.reports.record import report_document
from tailgate.reports.summary import render_markdown
from tailgate.reports.terminal import render_run, render_summary


def recover(*, json: Path | None, summary: Path | None, reads_running: bool, removes: bool) -> int:
    """Show what sessions of the working directory's tests left, and write the reports.

    Args:
        json: Where the JSON report goes; as the summary, it is written only if there is something to recover.
        summary: Where the Markdown goes.
        reads_running: Read sessions that still go on, as far as they got.
        removes: Delete what was read and reported; a session with a file that cannot be read stays.

    Returns:
        0; 3 if a file could not be read, or not to its end.

    Raises:
        TailgateError: A report cannot be written, or two would be one file.
    """
    directory = DIRECTORY
    check_distinct({"--json": json, "--summary": summary})
    for path, what in ((json, "JSON report"), (summary, "summary")):
        if path is not None:
            check_writable(path, what)
    sessions = [read_session(path) for path in sorted(directory.iterdir())] if directory.is_dir() else []
    wanted = [session for session in sessions if reads_running or not session.is_running]
    for session in sessions:
        _say(_line(session, is_read=session in wanted))
    records = [record for session in wanted for record in session.records]
    if not wanted:
        _say(f"nothing to recover in {directory.absolute()}; the working directory should be pytest's root directory")
    if records:
        _report(records, json, summary)
    problems = [problem for session in wanted for problem in session.problems]
    for problem in problems:
        print(f"tailgate recover: {problem}", file=sys.stderr)  # noqa: T201 - a command line
    if removes:
        _remove([session for session in wanted if not (session.is_running or session.problems)])
    return 3 if problems else 0


def _line(session: Session, *, is_read: bool) -> str:
    """Return what there is of a session, in a line."""
    if not is_read:
        return f"{session.directory.name}: still running, left alone; --running reads it as far as it got"
    verdicts = Counter(record["verdict"] for record in session.records)
    told = ", ".join(f"{verdicts[verdict]:,} {verdict}" for verdict in Verdict if verdicts[verdict])
    runs = count_of(len(session.records), "run")
    return f"{session.directory.name}: {runs}" + (f" ({told})" if told else "")


def _report(records: Sequence[Record], json: Path | None, summary: Path | None) -> None:
    """Show the runs as at the end of a session, and write the files."""
    width = shutil.get_terminal_size().columns
    unicode = (sys.stdout.encoding or "ascii").lower().startswith("utf")
    for record in records:
        _say("")
        for line in render_run(record, width=width, unicode=unicode):
            _say(line)
    for line in ("", *render_summary(records, width=width, unicode=unicode)):
        _say(line)
    if json is not None:
        write_report(json, report_document(records))
    if summary is not None:
        write_text(summary, render_markdown(records), "summary")


def _remove(sessions: Sequence[Session]) -> None:
    for session in sessions:
        shutil.rmtree(session.directory, ignore_errors=True)
        _say(f"{session.directory.name}: removed")


def _say(line: str) -> None:
    print(line)  # noqa: T201 - a command line
