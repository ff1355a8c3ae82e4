"""Find every reason why a duet cannot tell how its two builds compare."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tailgate.compare_estimators import serial_error
from tailgate.compare_values import Indices
from tailgate.duet_rounds import BASELINE, CANDIDATE, Round, Timeline, why_nothing
from tailgate.model import Scenario, Severity, count_of
from tailgate.run import RunResult
from tailgate.samples import Samples, exact
from tailgate.validity import find_load_reasons

MOSTLY_FAILED = 0.5
"""A request of which more than this share fails does something else than it should."""
_MOST_UNLIKE_RATIO = 0.02
_SURE_Z = 5.0
"""Normal quantile beyond which chance is no explanation: one in three million."""
FEWEST = 20
"""Tasks of an arm from which on a fair coin does not leave the other arm without any of their kind, or all to fail."""
_ADVICE = "compare only what both serve, with tags=..."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tried:
    """What became of the requests of one name in one arm."""

    sent: int
    tasks: int
    """At least about so many tasks sent them; the coin is tossed for tasks."""
    failed: int
    error: str
    """The most frequent error."""

    @property
    def is_broken(self) -> bool:
        """Whether most of them failed, and not by chance."""
        return self.tasks >= FEWEST and self.failed > MOSTLY_FAILED * self.sent

    def __str__(self) -> str:
        error = f" ({self.error})" if self.error else ""
        return f"failed {self.failed:,} of {self.sent:,}{error}"


def find_duet_reasons(rounds: Sequence[Round], scenario: Scenario) -> tuple[str, ...]:
    """Return the reasons, one sentence with figures each; none means that the duet is valid.

    What makes a duet invalid after some rounds keeps it invalid, whatever comes after.

    Args:
        rounds: At least one, in the order in which they were played.
        scenario: Whose limits of the generator hold for each arm of each round.
    """
    base, candidate = ([arm.run for arm in arms] for arms in zip(*(played.arms for played in rounds), strict=True))
    return (
        *_of_rounds(rounds, scenario),
        *_unlike_work(base, candidate),
        *_unlike_requests(base, candidate),
        *_without_subject(Timeline(rounds), scenario),
    )


def _of_rounds(rounds: Sequence[Round], scenario: Scenario) -> Iterator[str]:
    """Yield what is wrong with the load itself; what both arms say of the one generator is told once."""
    for number, played in enumerate(rounds, 1):
        base, candidate = (find_load_reasons(arm.run, scenario) for arm in played.arms)
        for reason in dict.fromkeys((*base, *candidate)):
            where = [name for name, own in ((BASELINE, base), (CANDIDATE, candidate)) if reason in own]
            yield f"{' and '.join(where)}, round {number}: {reason}"


def _unlike_work(base: Sequence[RunResult], candidate: Sequence[RunResult]) -> Iterator[str]:
    """Compare how many requests came of each task that an arm was sent.

    Not the arms with one another: a coin gives them unequal numbers of tasks. How many requests a task makes varies by
    about as much as there are on average, or by what the seconds show, if that is more.
    """
    tasks = [_tasks(runs) for runs in (base, candidate)]
    if not all(tasks):
        return
    made = [sum(len(_seconds(exact(run.samples))) for run in runs) for runs in (base, candidate)]
    each = [requests / sent for requests, sent in zip(made, tasks, strict=True)]
    of_tasks = max(each) * math.sqrt(sum(1 / sent for sent in tasks))
    chance = _SURE_Z * max(of_tasks, _error_by_second(base, candidate, tasks))
    if abs(each[1] - each[0]) > _MOST_UNLIKE_RATIO * max(each) + chance:
        before, after = (
            f"{one:.2f} requests for each of {count_of(sent, 'task')}" for one, sent in zip(each, tasks, strict=True)
        )
        yield f"the arms did not do the same work: {before} in the baseline, {after} in the candidate; {_ADVICE}"


def _error_by_second(base: Sequence[RunResult], candidate: Sequence[RunResult], tasks: Sequence[int]) -> float:
    """Return the standard error of the difference of requests for each task, in which whole seconds are what varies.

    What a task sends stays mostly within a second or a few, and both arms follow one shape: how much more an arm sent
    in a second than its part of what both sent tells how unlike the tasks are. Fewer than two seconds tell nothing.
    """
    second, *sides = (np.concatenate(columns) for columns in zip(*map(_by_second, base, candidate), strict=True))
    if len(second) < 2:  # noqa: PLR2004 - one does not vary
        return 0.0
    part = (sides[0] + sides[1]) / (sides[0].sum() + sides[1].sum())
    of_base, of_candidate = ((side - part * side.sum()) / sent for side, sent in zip(sides, tasks, strict=True))
    error, _ = serial_error(of_candidate - of_base, np.diff(second) == 1)
    return error


def _unlike_requests(base: Sequence[RunResult], candidate: Sequence[RunResult]) -> Iterator[str]:
    """Find requests that the baseline does not serve, or that only one arm was sent, at any time."""
    for key in sorted({key for run in (*base, *candidate) for key in run.samples.keys}):
        before, after = (_try(runs, key) for runs in (base, candidate))
        for name, none, other in ((BASELINE, before, after), (CANDIDATE, after, before)):
            if not none.sent and other.tasks >= FEWEST:
                yield f"{name}: {key} was never sent, {other.sent:,} times in the other arm; {_ADVICE}"
        if before.is_broken and after.is_broken:
            yield f"{key} {before} in the baseline and {after} in the candidate: there is nothing to compare"
        elif before.is_broken:
            yield f"{BASELINE}: {key} {before}: its API may differ; {_ADVICE}"


def _by_second(base: RunResult, candidate: RunResult) -> tuple[Indices, Indices, Indices]:
    """Return the seconds of a round in which anything was sent, and how many requests each arm was sent in them."""
    seconds = [_seconds(exact(run.samples)) for run in (base, candidate)]
    seen = np.unique(np.concatenate(seconds))
    of_base, of_candidate = (np.bincount(np.searchsorted(seen, one), minlength=len(seen)) for one in seconds)
    return seen, of_base, of_candidate


def _seconds(samples: Samples) -> Indices:
    """Return the second in which each request of a task was sent.

    Users may have sent requests when they were started, before the first task was due.
    """
    return np.floor(samples.start_s[samples.start_s >= 0]).astype(np.int64)


def _tasks(runs: Sequence[RunResult]) -> int:
    """Return how many tasks were sent; 0 if nobody counted."""
    return sum((run.generator.due or 0) - (run.generator.unsent or 0) for run in runs)


def _try(runs: Sequence[RunResult], key: str) -> _Tried:
    mine = [run.samples.of_key(key) for run in runs if key in run.samples.keys]
    errors = [error for run in runs for error in run.errors if error.where == key]
    return _Tried(
        sent=sum(map(len, mine)),
        tasks=_tasks_of(runs, [exact(samples) for samples in mine]),
        failed=sum(samples.failures for samples in mine),
        error=max(errors, key=lambda error: error.count).error if errors else "",
    )


def _tasks_of(runs: Sequence[RunResult], mine: Sequence[Samples]) -> int:
    """Return how many tasks sent some of an arm's requests, at least about.

    Which task sent a request is not known. But two of different seconds are seldom of one task, and where an arm was
    sent hardly more requests than tasks, hardly any task has sent two. What users send when they are started was dealt
    by no coin: each counts.
    """
    seconds = [_seconds(samples) for samples in mine]
    sent = sum(map(len, seconds))
    at_start = sum(map(len, mine)) - sent
    tasks, made = _tasks(runs), sum(len(_seconds(exact(run.samples))) for run in runs)
    surely = sent - (made - tasks) if tasks else 0
    return at_start + max(surely, sum(len(np.unique(one)) for one in seconds))


def _without_subject(time: Timeline, scenario: Scenario) -> Iterator[str]:
    """Find rules that asked for something that was never there; no data is never a pass.

    One that only informs may miss its subject, but not all that a duet was played for.
    """
    missing = [(rule, reason) for rule in scenario.regressions if (reason := why_nothing(rule, time))]
    is_empty = len(missing) == len(scenario.regressions)
    for rule, reason in missing:
        if is_empty or rule.severity is not Severity.INFO:
            yield f"{rule.subject}: nothing to compare ({rule.source}): {reason}"
