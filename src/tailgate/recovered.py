"""Read what a session left on disk, and judge the run that it was in the middle of."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tailgate.journal import RECORDS_SUFFIX, RUN_SUFFIX, is_running
from tailgate.journal_frames import Frame, JournalReader
from tailgate.journal_records import UNKNOWN, identity, other_version, read_records
from tailgate.judge import judge_nothing, judge_run
from tailgate.model import Judged, Verdict
from tailgate.reports.record import run_record
from tailgate.run_state import parse_limits, parse_run
from tailgate.samples import SampleLog

Record = Mapping[str, Any]
_ROUNDING_S = 1e-6
_LEFT_OUT = "recovered: what is computed after a run, such as counters of observers and comparisons, is not part of it"


@dataclass(slots=True)
class Session:
    """What one session left."""

    directory: Path
    is_running: bool
    records: list[Record] = field(default_factory=list)
    """Of the runs that it had judged, and of those that it was in the middle of, in the order of their beginnings."""
    problems: list[str] = field(default_factory=list)
    """One for each file that cannot be read, or not to its end."""


def read_session(directory: Path) -> Session:
    """Return what a session left."""
    session = Session(directory, is_running(directory))
    for path in sorted(directory.glob(f"*{RECORDS_SUFFIX}")):
        records, problem = read_records(path)
        session.records += records
        session.problems += [problem] if problem else []
    known = {identity(record) for record in session.records}
    for path in sorted(directory.glob(f"*{RUN_SUFFIX}")):
        record = _read_run(path, session)
        if record is not None and identity(record) not in known:
            session.records.append(record)
    session.records.sort(key=lambda record: str(record["started_at"]))
    return session


def _frames(path: Path, session: Session) -> Iterator[Frame]:
    """Yield the frames of a file, and note where they end too early."""
    reader = JournalReader(path)
    try:
        yield from reader
    except OSError as error:
        session.problems.append(f"{path}: {error.strerror or error}")
    if reader.problem:
        session.problems.append(f"{path}: {reader.problem}")


def _read_run(path: Path, session: Session) -> Record | None:
    """Return the record of a run as far as it got; None where not even its beginning can be read."""
    frames, problems = _frames(path, session), len(session.problems)
    try:
        for header in frames:
            return run_record(_judge(header.values, frames, path, is_running=session.is_running))
    except UNKNOWN as error:
        session.problems.append(other_version(path, error))
    else:
        if len(session.problems) == problems:
            session.problems.append(f"{path}: ends before it says which run it is of")
    return None


def _judge(header: Mapping[str, Any], frames: Iterator[Frame], path: Path, *, is_running: bool) -> Judged:
    """Judge what a run had measured; it is invalid, since nobody knows what would have come."""
    limits = parse_limits(header["limits"])
    log = SampleLog()
    state: Mapping[str, Any] | None = None
    for frame in frames:
        state = frame.values
        log.extend([(method, name) for method, name in state["pairs"]], _columns(frame, header["byteorder"]))
        log.seal()
    end = "the process still runs, and is" if is_running else "the process ended"
    if state is None:
        what = "a duet, whose rounds are not kept on disk" if header["is_duet"] else "the run, before its first samples"
        reason = f"{end} in {what}; recovered from {path}"
        return replace(
            judge_nothing(test=header["test"], scenario=limits.name, reasons=[reason]), started_at=header["started_at"]
        )
    run = replace(parse_run(state["run"], log.finish()), is_stress=header["is_stress"])
    is_over = run.duration_s >= sum(stage.duration_s for stage in run.stages) - _ROUNDING_S
    where = "after the run, before it was judged" if is_over else f"during the run, after {run.duration_s:.1f} s"
    judged = judge_run(replace(run, notes=(*run.notes, _LEFT_OUT)), limits, fingerprint=header["fingerprint"])
    reason = f"{end} {where}; recovered from {path}"
    return replace(judged, verdict=Verdict.INVALID, reasons=(reason, *judged.reasons))


def _columns(frame: Frame, byteorder: str) -> dict[str, bytes]:
    """Return the columns of a frame, which stand one behind the other.

    Raises:
        ValueError: They are of a machine whose numbers are written the other way round.
    """
    if byteorder != sys.byteorder:
        raise ValueError(f"{byteorder}-endian numbers")
    columns, first = {}, 0
    for name, size in frame.values["columns"].items():
        columns[name] = frame.data[first : first + size]
        first += size
    return columns
