"""Judge the runs of a test as part of that test: when it asks, else when it ends."""

from __future__ import annotations

import sys
from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import pytest

from tailgate.baselining import compare_with_saved, record_to_save, why_not_saved
from tailgate.collecting import is_load_test, scenarios_of
from tailgate.errors import InvalidRun, TailgateError
from tailgate.model import Judged, Scenario
from tailgate.reporting import RUN_LOG

if TYPE_CHECKING:
    from tailgate.baseline import Baseline, LoadIdentity
    from tailgate.baseline_compare import BaselineComparison
    from tailgate.journal import RunJournal
    from tailgate.run import RunResult


class Slot(Protocol):
    """One load of a test and, once it was judged, its verdict."""

    run: RunResult
    judged: Judged | None
    error: Exception | None
    """What its verdict raised, until that has failed the test."""

    def judge(self, item: pytest.Item) -> None:
        """Judge it, and put it into the log, instead of what it was judged before."""
        ...  # pragma: no cover

    def raise_for_verdict(self, config: pytest.Config) -> None:
        """Raise what the verdict means."""
        ...  # pragma: no cover


@dataclass(slots=True)
class RunSlot:
    """A run against one target."""

    run: RunResult
    scenario: Scenario
    identity: LoadIdentity
    saved: Sequence[Baseline]
    """Runs to compare with, as they were before the load."""
    journal: RunJournal
    """Keeps the run on disk until it is judged; its record is kept from then on."""
    judged: Judged | None = None
    error: Exception | None = None
    comparison: BaselineComparison | None = None

    def judge(self, item: pytest.Item) -> None:
        """Judge the run by its limits and beside saved ones."""
        from tailgate.fingerprint import take_fingerprint  # noqa: PLC0415 - NumPy and psutil only for a load
        from tailgate.judge import judge_run  # noqa: PLC0415
        from tailgate.tiers import usual_tiers  # noqa: PLC0415

        config = item.config
        usual = usual_tiers(run.tiers for run in self.saved)
        judged = judge_run(self.run, self.scenario, fingerprint=take_fingerprint(), usual=usual)
        self.judged, self.comparison = compare_with_saved(
            config, self.run, judged, self.scenario, load=self.identity, saved=self.saved
        )
        baseline, refusal = record_to_save(
            config, self.run, self.judged, self.scenario, load=self.identity, comparison=self.comparison
        )
        config.stash[RUN_LOG].put(item.nodeid, id(self), self.judged, baseline=baseline, refusal=refusal)
        self.journal.remove()

    def raise_for_verdict(self, config: pytest.Config) -> None:
        """Raise what the comparison means, else what the limits do."""
        __tracebackhide__ = True
        del config
        from tailgate.judge import raise_for_verdict  # noqa: PLC0415 - NumPy only for a load

        assert self.judged is not None
        if self.comparison is not None:
            from tailgate.baseline_compare import raise_for_comparison  # noqa: PLC0415 - only if asked for

            raise_for_comparison(self.comparison)
        raise_for_verdict(self.judged)


@dataclass(slots=True)
class TestRuns:
    """All loads of one test."""

    slots: list[Slot] = field(default_factory=list)


RUNS = pytest.StashKey[TestRuns]()
_FAILURES = (Exception, pytest.fail.Exception)
"""What fails a test; a skip does not, although that of unittest is an ``Exception``."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    """Report a load test whose stack, say, could not be set up."""
    try:
        return (yield)
    except _FAILURES as error:
        if not _is_skip(error):
            _report_no_load(item, error)
            _mark_told(item)
        raise


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Judge, as part of the test, what the test itself did not judge."""
    __tracebackhide__ = True
    try:
        result = yield
        ended_by = _kept_end(item)
        if _is_skip(ended_by):
            _judge_unjudged(item)  # What is raised here would be replaced by the skip, so the teardown raises it.
            return result
        judge_rest(item)
        if ended_by is not None:
            _report_no_load(item, ended_by)
        elif is_load_test(item) and RUNS in item.stash:
            _check_all_loaded(item)
    except (*_FAILURES, pytest.skip.Exception) as error:
        if _is_skip(error):
            judge_rest(item)  # A skip does not hide what was loaded before it.
        else:
            _report_no_load(item, error)
            _mark_told(item)
        raise
    finally:
        for slot in _unjudged(item):
            slot.judge(item)
    return result


def _is_skip(error: BaseException | None) -> bool:
    unittest = sys.modules.get("unittest")  # Whoever raises its SkipTest has imported it.
    return isinstance(error, pytest.skip.Exception) or (unittest is not None and isinstance(error, unittest.SkipTest))


def _kept_end(item: pytest.Item) -> BaseException | None:
    """Return what the test of a ``unittest.TestCase`` ended by: pytest keeps that for its report and raises nothing."""
    kept = getattr(item, "_excinfo", None)
    return kept[0].value if kept else None


def _report_no_load(item: pytest.Item, error: BaseException) -> None:
    """Put a load test that failed before any load into the reports: no data is never a pass, there neither.

    One that was not to be run, or gave up as expected, is none, as a skipped one is none.
    """
    if isinstance(error, pytest.xfail.Exception):
        return
    if not is_load_test(item) or (RUNS in item.stash and item.stash[RUNS].slots):
        return
    reasons = getattr(error, "problems", ()) or getattr(error, "reasons", ()) or [f"no samples: {_first_line(error)}"]
    _put_nothing(item, ", ".join(scenarios_of(item)), reasons)


def _put_nothing(item: pytest.Item, scenario: str, reasons: Sequence[str], number: int = 0) -> None:
    from tailgate.judge import judge_nothing  # noqa: PLC0415 - NumPy only for load tests

    judged = judge_nothing(test=item.nodeid, scenario=scenario, reasons=reasons)
    item.config.stash[RUN_LOG].put(item.nodeid, number, judged, refusal=why_not_saved(item.config, judged))


def _check_all_loaded(item: pytest.Item) -> None:
    """Refuse a test that ended well without having loaded every scenario that it is for.

    A parametrized one may have been given one of them.

    Raises:
        InvalidRun: One was not loaded.
    """
    __tracebackhide__ = True
    loaded = {slot.run.scenario for slot in _slots(item)}
    missing = [name for name in scenarios_of(item) if name not in loaded]
    if not loaded:
        raise InvalidRun(", ".join(missing), ["no samples: the test made no load run"])
    if missing and not hasattr(item, "callspec"):
        reasons = ["no samples: the test made no load run of this scenario, which its marker names"]
        for number, name in enumerate(missing):
            _put_nothing(item, name, reasons, number)
        raise InvalidRun(", ".join(missing), reasons)


def _first_line(error: BaseException) -> str:
    # What pytest.fail and pytest.exit raise is a message; that it is a "Failed" or an "Exit" says nothing.
    if isinstance(error, (pytest.fail.Exception, pytest.exit.Exception)) and str(error).strip():
        return str(error).strip().splitlines()[0].removesuffix(":")
    return f"{type(error).__name__}: {error}".removesuffix(": ").splitlines()[0]


def judge_rest(item: pytest.Item) -> None:
    """Judge every run that was not judged yet, then raise what the first bad one means.

    Also one whose error the test caught: a run that failed is a test that failed, in every report.
    """
    __tracebackhide__ = True
    _judge_unjudged(item)
    errors = [slot.error for slot in _slots(item) if slot.error is not None]
    _mark_told(item)
    if errors:
        raise errors[0]


def _judge_unjudged(item: pytest.Item) -> None:
    """Judge every run that was not judged yet, and leave what that raised in its slot."""
    for slot in _unjudged(item):
        with suppress(TailgateError, AssertionError):
            judge_now(item, slot, slot.run)


def _mark_told(item: pytest.Item) -> None:
    """Note that what the verdicts raised has failed the test, so that it fails no later phase of it."""
    for slot in _slots(item):
        slot.error = None


def _slots(item: pytest.Item) -> list[Slot]:
    runs = item.stash.get(RUNS, None)
    return runs.slots if runs else []


def _unjudged(item: pytest.Item) -> list[Slot]:
    return [slot for slot in _slots(item) if slot.judged is None]


def judge_now(item: pytest.Item, slot: Slot, run: RunResult) -> Judged:
    """Judge ``run``, a version of the slot's run that may have more counters, and raise what that means."""
    __tracebackhide__ = True
    slot.run, slot.error = run, None
    try:
        slot.judge(item)
        slot.raise_for_verdict(item.config)
    except (TailgateError, AssertionError) as error:
        slot.error = error
        raise
    assert slot.judged is not None
    return slot.judged
