"""Collect the verdicts of all tests and workers, and hand them to the reporters."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tailgate.baselining import save_records
from tailgate.errors import Regression, TailgateError, ThresholdBreach
from tailgate.journal import SessionJournal, session_directory
from tailgate.journal_records import identity, read_records
from tailgate.options import OPTIONS

if TYPE_CHECKING:
    from tailgate.model import Judged

Record = dict[str, Any]
"""One run as JSON values; see ``tailgate.reports.record``."""


class RunLog:
    """The runs of this process that no report has carried away yet, and, where reports end up, all of them."""

    def __init__(self, journal: SessionJournal) -> None:
        self.journal = journal
        """What keeps runs on disk until the reports are written."""
        self.left = ""
        """Where it still has a run whose process died."""
        self.records: list[Record] = []
        self.usage_error = ""
        self.write_error = ""
        self.checked = ""
        """What ``--perf-check`` found to be right."""
        self.exit_status: int | None = None
        """Status of the process, if a signal says which."""
        self.baselines: list[Record] = []
        """Runs to be saved."""
        self.saved: list[str] = []
        """What became of them, a line each."""
        self._waiting: dict[str, dict[int, Record]] = {}
        self._baselines: dict[str, dict[int, tuple[Record | None, str]]] = {}
        self._failed: set[str] = set()

    def put(self, nodeid: str, run: int, judged: Judged, *, baseline: Record | None = None, refusal: str = "") -> None:
        """Keep a judged run until the report of its test takes it; the same run again replaces it.

        With it goes what is to be saved as a baseline, or why nothing is.
        """
        from tailgate.reports.record import run_record  # noqa: PLC0415 - only when there was a load

        record = self._waiting.setdefault(nodeid, {})[run] = run_record(judged)
        self.journal.keep_record(record)
        self._baselines.setdefault(nodeid, {})[run] = (baseline, refusal)

    def mark_failed(self, nodeid: str) -> None:
        """Note that a test did not pass in its setup, its body or its teardown."""
        self._failed.add(nodeid)

    def take_baselines(self, nodeid: str) -> tuple[list[Record], list[str]]:
        """Give away what a test that is over has to save, nothing if it failed, and why other runs are not saved."""
        pairs = list(self._baselines.pop(nodeid, {}).values())
        refusals = [refusal for _, refusal in pairs if refusal]
        records = [record for record, _ in pairs if record is not None]
        if nodeid not in self._failed:
            return records, refusals
        self._failed.discard(nodeid)
        return [], [*refusals, *(f"{record['scenario']}: not saved: {nodeid} did not pass" for record in records)]

    def take(self, nodeid: str) -> list[Record]:
        """Give the runs of one test away, in the order in which they were made, not judged."""
        return sorted(self._waiting.pop(nodeid, {}).values(), key=lambda record: str(record["started_at"]))

    def take_all(self) -> list[Record]:
        """Give away what no report took, as after Ctrl-C."""
        return [record for nodeid in list(self._waiting) for record in self.take(nodeid)]


RUN_LOG = pytest.StashKey[RunLog]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put the test's runs on its report, which travels to the controller under xdist; show errors as messages."""
    report = yield
    if call.excinfo is not None and isinstance(call.excinfo.value, TailgateError | ThresholdBreach | Regression):
        # The message tells everything; a page of frames would hide it.
        report.longrepr = call.excinfo.getrepr(style="value", chain=False)
    log = item.config.stash[RUN_LOG]
    if not report.passed:
        log.mark_failed(item.nodeid)
    if call.when == "teardown":  # Only now it is known whether the test passed.
        baselines = log.take_baselines(item.nodeid)
        if any(baselines):
            report.tailgate_baselines = baselines  # type: ignore[attr-defined] # carried as plain JSON
    if call.when != "setup":  # What a fixture loaded and judged in setup waits for the test.
        records = log.take(item.nodeid)
        if records:
            from tailgate.reports.junit import properties  # noqa: PLC0415 - only when there was a load

            report.tailgate_runs = records  # type: ignore[attr-defined] # carried as plain JSON
            item.user_properties += [pair for record in records for pair in properties(record)]
            report.user_properties = list(item.user_properties)
    return report


class ReportReader:
    """Takes the runs from the reports of tests; a plugin of its own, since that hook is not told the config."""

    def __init__(self, log: RunLog) -> None:
        self._log = log

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take what ``pytest_runtest_makereport`` put there, maybe in another process."""
        self._log.records.extend(getattr(report, "tailgate_runs", []))
        records, refusals = getattr(report, "tailgate_baselines", ([], []))
        self._log.baselines.extend(records)
        self._log.saved.extend(refusals)


def begin(config: pytest.Config) -> None:
    """Open the log of this session."""
    log = config.stash[RUN_LOG] = RunLog(_journal(config))
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(ReportReader(log), "tailgate-report-reader")


def _journal(config: pytest.Config) -> SessionJournal:
    """Return what keeps the runs of this process; those of a session with workers of xdist share a directory."""
    worker = getattr(config, "workerinput", None)
    if worker is not None:
        return SessionJournal(Path(worker["tailgate_journal"]), worker["workerid"])
    return SessionJournal(session_directory(config.rootpath, os.getpid()))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of xdist where the session keeps its runs."""
    node.workerinput["tailgate_journal"] = str(node.config.stash[RUN_LOG].journal.directory)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Take what a worker of xdist could not put on a report."""
    del error
    output = getattr(node, "workeroutput", {})
    log = node.config.stash[RUN_LOG]
    log.records.extend(output.pop("tailgate_runs", []))  # Told twice of a worker that was interrupted.
    log.usage_error = log.usage_error or output.get("tailgate_usage_error", "")
    log.checked = log.checked or output.get("tailgate_checked", "")


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> Generator[None, object, object]:
    """Write the reports when xdist has ended its workers, which may have to end a run first; whatever others raise."""
    try:
        return (yield)
    finally:
        _finish(session, exitstatus)


def _finish(session: pytest.Session, exitstatus: int) -> None:
    """Send a worker's leftovers to the controller, or write the reports."""
    config = session.config
    log = config.stash[RUN_LOG]
    if hasattr(config, "workeroutput"):
        config.workeroutput["tailgate_runs"] = log.take_all()
        config.workeroutput["tailgate_usage_error"] = log.usage_error
        config.workeroutput["tailgate_checked"] = log.checked
        log.journal.release()
        return
    log.records += log.take_all()
    problems = _take_from_disk(log)
    if not config.stash[OPTIONS].is_check_only:
        log.write_error = "\n".join([*problems, *_write_files(config, log)])
    log.left = log.journal.end(is_reported=not log.write_error)
    if log.checked and exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
        session.exitstatus = pytest.ExitCode.OK
    if log.usage_error or log.write_error:
        session.exitstatus = pytest.ExitCode.USAGE_ERROR
    if log.exit_status is not None:
        session.exitstatus = log.exit_status


def _take_from_disk(log: RunLog) -> list[str]:
    """Take what workers of xdist judged, but died or were ended before they reported it; return what cannot be read."""
    found = [read_records(path) for path in log.journal.records_of_others()]
    known = {identity(record) for record in log.records}
    log.records += [record for records, _ in found for record in records if identity(record) not in known]
    return [problem for _, problem in found if problem]


def _write_files(config: pytest.Config, log: RunLog) -> list[str]:
    """Write the files that were asked for; what could not be written comes back as messages."""
    errors = []
    writes = {"JSON report": _write_json, "summary": _write_summary, "baselines": _save_baselines}
    for what, write in writes.items():
        try:
            write(config, log)
        except TailgateError as error:
            errors.append(str(error))
        except Exception as error:  # noqa: BLE001 - told; the other reports are worth no less for it
            errors.append(f"the {what} could not be written: {type(error).__name__}: {error}")
    return errors


def _save_baselines(config: pytest.Config, log: RunLog) -> None:
    """Save at the end of the session, so that every comparison in it read what was there before.

    Raises:
        TailgateError: Some could not be written.
    """
    lines, errors = save_records(config, log.baselines)
    log.saved += lines
    if errors:
        raise TailgateError("\n".join(dict.fromkeys(errors)))


def _write_json(config: pytest.Config, log: RunLog) -> None:
    options = config.stash[OPTIONS]
    if options.json is None:
        return
    from tailgate.reports.json_file import write_report  # noqa: PLC0415 - only if asked for
    from tailgate.reports.record import report_document  # noqa: PLC0415

    write_report(options.json, report_document(log.records))


def _write_summary(config: pytest.Config, log: RunLog) -> None:
    """Write the Markdown; a file that others share hears nothing of a session without loads."""
    options = config.stash[OPTIONS]
    if options.summary is None or (options.is_summary_shared and not log.records):
        return
    from tailgate.reports.files import append_text, write_text  # noqa: PLC0415 - only if asked for
    from tailgate.reports.summary import render_markdown  # noqa: PLC0415

    write = append_text if options.is_summary_shared else write_text
    write(options.summary, render_markdown(log.records), "summary")


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Show each run, then one line for each."""
    log = config.stash[RUN_LOG]
    if log.records:
        _show_runs(terminalreporter, log.records)
    for line in (log.checked, *log.saved):
        if line:
            terminalreporter.write_line(line)
    if log.left:
        terminalreporter.write_line(f"kept in {log.left}: runs that are in no report; see tailgate recover")
    for message in (log.usage_error, log.write_error):
        if message:
            terminalreporter.write_line(f"ERROR: {message}", red=True)


def _show_runs(terminalreporter: Any, records: Sequence[Record]) -> None:
    """Show each run, then a line for each."""
    from tailgate.reports.terminal import render_run, render_summary  # noqa: PLC0415 - only if there was a load

    writer = terminalreporter._tw  # noqa: SLF001 - pytest offers the width and colour nowhere else
    style = {"color": writer.hasmarkup and not os.environ.get("NO_COLOR"), "unicode": shows_unicode(writer)}
    terminalreporter.section("load runs")
    for record in records:
        try:
            lines = render_run(record, width=writer.fullwidth, **style)
        except Exception as error:  # noqa: BLE001 - told; the other runs are worth no less for it
            lines = [f"ERROR: {record['scenario']}: cannot be shown: {type(error).__name__}: {error}"]
        for line in (*lines, ""):
            terminalreporter.write_line(line)
    for line in render_summary(records, width=writer.fullwidth, **style):
        terminalreporter.write_line(line)


def shows_unicode(writer: Any) -> bool:
    """Tell whether what pytest's ``TerminalWriter`` writes to can show more than ASCII."""
    encoding = getattr(writer._file, "encoding", None) or "ascii"  # noqa: SLF001 - as above
    try:
        "✓✗–…".encode(encoding)  # noqa: RUF001 - the dash of an empty cell
    except (UnicodeEncodeError, LookupError):
        return False
    return True
