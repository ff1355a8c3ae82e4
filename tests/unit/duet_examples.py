"""Rounds of a duet, made from literal requests or from seeded streams, for the tests of whatever reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tailgate.compare import Arm
from tailgate.duet import ArmRound, Mark, Round, compare_rounds
from tailgate.model import Change, DuetFacts, RegressionRule, Scenario, Stage
from tailgate.samples import Outcome, Samples
from tests.unit.duet_streams import TIMEOUT_MS, Stream
from tests.unit.judged_examples import HEALTH
from tests.unit.run_examples import run

WARMUP_S = 1.0
MARK_EVERY_S = 2.0
KEYS = ("GET Home", "POST Buy")


def shape(duration_s: float) -> Stage:
    return Stage(name="arrivals", duration_s=duration_s, arrival_rate_rps=300.0)


def samples(arm: Arm, *, keys: Sequence[str] = KEYS, key_index: Sequence[int] | None = None) -> Samples:
    """The requests of an arm, in order of time; each third belongs to the second key."""
    order = np.argsort(arm.scheduled_s, kind="stable")
    count = len(order)
    index = np.arange(count) % 3 // 2 if key_index is None else np.asarray(key_index)
    return Samples(
        keys=tuple(keys),
        key_index=index.astype(np.int32),
        start_s=arm.scheduled_s[order],
        latency_ms=arm.latency_ms[order],
        outcome=np.where(arm.is_failure[order], Outcome.FAILURE, Outcome.SUCCESS).astype(np.uint8),
    )


def marks(duration_s: float, *, cpu_per_s: float | None = 0.3, sold_per_s: float = 10.0) -> tuple[Mark, ...]:
    """Looks every 2 s at an arm that needs so much processor time, and counts so much, in each second."""
    times = [*np.arange(0.0, duration_s, MARK_EVERY_S), duration_s + 0.01]
    return tuple(
        Mark(
            at_s=float(at_s),
            cpu_s=None if cpu_per_s is None else 0.5 + cpu_per_s * float(at_s),
            counters={"sold": sold_per_s * float(at_s)},
        )
        for at_s in times
    )


def arm_round(arm: Arm, duration_s: float, *, arm_marks: Sequence[Mark] | None = None, **changes) -> ArmRound:
    """One arm of a round whose warm-up is the first second of its stream."""
    stage = shape(duration_s)
    health = replace(HEALTH, due=len(arm.scheduled_s), unsent=0, send_lag_p99_ms=1.0, dispersion=1.0)
    fields = {"samples": samples(arm), "stages": (stage,), "warmup_s": WARMUP_S, "generator": health}
    one = run(**{**fields, **changes})
    return ArmRound(run=one, marks=tuple(marks(duration_s) if arm_marks is None else arm_marks))


def rounds(stream: Stream, **changes) -> tuple[Round, ...]:
    """The rounds of a seeded stream."""
    found = []
    for window in stream.rounds:
        arms = []
        for arm in (stream.base, stream.candidate):
            is_here = (arm.scheduled_s >= window.start_s) & (arm.scheduled_s < window.end_s)
            part = Arm(
                scheduled_s=arm.scheduled_s[is_here] - window.start_s,
                latency_ms=arm.latency_ms[is_here],
                is_failure=arm.is_failure[is_here],
            )
            arms.append(arm_round(part, window.duration_s, **changes))
        found.append(Round(base=arms[0], candidate=arms[1]))
    return tuple(found)


def with_run(one: ArmRound, **changes) -> ArmRound:
    """The same, with other fields of its run."""
    return replace(one, run=replace(one.run, **changes))


def with_samples(one: ArmRound, **changes) -> ArmRound:
    """The same, with other columns of its samples."""
    return with_run(one, samples=replace(one.run.samples, **changes))


def swap(played: Sequence[Round]) -> tuple[Round, ...]:
    """The same rounds, with the arms the other way round."""
    return tuple(Round(base=one.candidate, candidate=one.base) for one in played)


def rule(metric: str = "p95_ms", **changes) -> RegressionRule:
    """A rule for all requests."""
    fields = {"kind": "total", "subject": "total", "metric": metric, "source": "thresholds.yaml:5"}
    return RegressionRule(**{**fields, **changes})


def scenario(*rules: RegressionRule, **changes) -> Scenario:
    return Scenario(name="peak", regressions=rules or (rule(),), source="thresholds.yaml:3", **changes)


def compare(played: Sequence[Round], *rules: RegressionRule, **changes) -> tuple[Change, ...]:
    """The changes that the rules find, on cores of their own, with what was learned left out."""
    given = {
        "timeout_ms": TIMEOUT_MS,
        "are_cores_shared": False,
        "noise_floor_ratio": None,
        "are_processes_fresh": True,
    }
    settings = {key: changes.pop(key, value) for key, value in given.items()}
    return compare_rounds(played, scenario(*rules, **changes), **settings)


FACTS = DuetFacts(
    base="main (1a2b3c4)",
    candidate="working tree (5d6e7f8, with uncommitted changes)",
    rounds=2,
    most_rounds=4,
    are_cores_shared=True,
    cpu_ratio=0.4,
)
