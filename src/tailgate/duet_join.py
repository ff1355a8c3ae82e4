"""Make one run of the rounds that a build played."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from statistics import fmean
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from tailgate.model import ErrorCount, GeneratorHealth, Stage
from tailgate.run import RunFacts, RunResult
from tailgate.samples import Samples, exact

_Number = TypeVar("_Number", int, float)


def join_rounds(runs: Sequence[RunResult]) -> RunResult:
    """Return the rounds of one arm as one run, in which each round is a stage.

    Warm-ups are left out; the rest follows one after the other without a gap. Counts are added up; of the generator's
    health the worst round counts for what was late, and the mean for what was busy.

    Args:
        runs: At least one, in the order in which they were played.
    """
    # A round that was interrupted in its warm-up has nothing to show.
    shown = [(number, run) for number, run in enumerate(runs, 1) if run.window.duration_s > 0]
    return replace(
        runs[0],
        duration_s=sum(run.window.duration_s for _, run in shown),
        stages=tuple(_as_stage(run, number) for number, run in shown),
        users_reached=tuple(max(run.users_reached, default=0) for _, run in shown),
        samples=_join_samples(runs),
        warmup_s=0.0,
        errors=_add_up(error for run in runs for error in run.errors),
        counters=_add_counters([run.counters for run in runs]),
        generator=_join_health([run.generator for run in runs]),
        facts=_join_facts([run.facts for run in runs]),
        notes=tuple(dict.fromkeys(note for run in runs for note in run.notes)),
    )


def _as_stage(run: RunResult, number: int) -> Stage:
    arrivals = sum((stage.arrival_rate_rps or 0.0) * stage.duration_s for stage in run.stages)
    # Half of what arrives goes to the other arm.
    rate_rps = arrivals / sum(stage.duration_s for stage in run.stages) / 2
    return Stage(name=f"round {number}", duration_s=run.window.duration_s, arrival_rate_rps=rate_rps or None)


def _join_samples(runs: Sequence[RunResult]) -> Samples:
    keys = tuple(sorted({key for run in runs for key in run.samples.keys}))
    parts = [exact(run.samples).within(run.window) for run in runs]
    offsets_s = [0.0, *accumulate(run.window.duration_s for run in runs)]
    starts = [
        part.start_s - run.window.start_s + offset_s
        for part, run, offset_s in zip(parts, runs, offsets_s, strict=False)
    ]
    return Samples(
        keys=keys,
        key_index=np.concatenate([renumber(part, keys) for part in parts]).astype(np.int32),
        start_s=np.concatenate(starts),
        latency_ms=np.concatenate([part.latency_ms for part in parts]),
        outcome=np.concatenate([part.outcome for part in parts]),
    )


def renumber(samples: Samples, keys: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return the position of each sample's key in ``keys``, which holds all of them."""
    place = {key: index for index, key in enumerate(keys)}
    positions: npt.NDArray[np.int64] = np.array([place[key] for key in samples.keys], dtype=np.int64)
    return positions[samples.key_index]


def _add_up(errors: Iterable[ErrorCount]) -> tuple[ErrorCount, ...]:
    counts: Counter[tuple[str, str]] = Counter()
    for error in errors:
        counts[error.where, error.error] += error.count
    return tuple(ErrorCount(where=where, error=error, count=count) for (where, error), count in counts.most_common())


def _add_counters(all_counters: Sequence[Mapping[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for counters in all_counters for name in counters)
    return {name: sum(counters.get(name, 0) for counters in all_counters) for name in names}


def _join_health(rounds: Sequence[GeneratorHealth]) -> GeneratorHealth:
    return GeneratorHealth(
        loop_lag_p50_ms=max(health.loop_lag_p50_ms for health in rounds),
        loop_lag_p99_ms=max(health.loop_lag_p99_ms for health in rounds),
        cpu_ratio=fmean(health.cpu_ratio for health in rounds),
        cpu_us_per_request=_known(fmean, [health.cpu_us_per_request for health in rounds]),
        host_cpu_ratio=_known(fmean, [health.host_cpu_ratio for health in rounds]),
        steal_ratio=_known(fmean, [health.steal_ratio for health in rounds]),
        blocked_ratio=max(health.blocked_ratio for health in rounds),
        dispersion=_known(max, [health.dispersion for health in rounds]),
        due=_known(sum, [health.due for health in rounds]),
        unsent=_known(sum, [health.unsent for health in rounds]),
        send_lag_p99_ms=_known(max, [health.send_lag_p99_ms for health in rounds]),
    )


def _known(summary: Callable[[list[_Number]], _Number], values: Sequence[_Number | None]) -> _Number | None:
    """Return the summary of the values that are known; None if none is."""
    known = [value for value in values if value is not None]
    return summary(known) if known else None


def _join_facts(rounds: Sequence[RunFacts]) -> RunFacts:
    return RunFacts(
        user_deaths=_add_up(error for facts in rounds for error in facts.user_deaths),
        task_exceptions=_add_up(error for facts in rounds for error in facts.task_exceptions),
        listener_errors=_add_up(error for facts in rounds for error in facts.listener_errors),
        unreported=sum(facts.unreported for facts in rounds),
        unstoppable_users=sum(facts.unstoppable_users for facts in rounds),
        stack_deaths=tuple(dict.fromkeys(death for facts in rounds for death in facts.stack_deaths)),
        action_errors=tuple(dict.fromkeys(error for facts in rounds for error in facts.action_errors)),
        clock_jump_s=max((facts.clock_jump_s for facts in rounds), key=abs),
        stopped=next((facts.stopped for facts in rounds if facts.stopped), ""),
        paced_classes=tuple(dict.fromkeys(name for facts in rounds for name in facts.paced_classes)),
        interrupted=next((facts.interrupted for facts in rounds if facts.interrupted), ""),
        cut=next((facts.cut for facts in rounds if facts.cut), ""),
    )
