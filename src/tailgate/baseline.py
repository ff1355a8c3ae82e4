"""A saved run: what is kept of a run so that a later one can be compared with it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np

from tailgate.checks import worst_first
from tailgate.distributions import Distribution
from tailgate.fingerprint import Commit
from tailgate.hashes import hash_scenario, hash_value
from tailgate.model import Judged, RequestSummary, Scenario, Verdict, Window
from tailgate.run import RunResult
from tailgate.samples import Measured
from tailgate.windows import P50, P95

BLOCK_S = 1.0
"""Length of a block in seconds; the last one of a run may be shorter."""
_FIGURE_DIGITS = 6
_BLOCK_DIGITS = 3
_ALL = Fraction(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocks:
    """One request name, or all, second by second after the warm-up: columns of equal length.

    Quantiles rather than histograms: at three significant digits nearly every latency of a second has a bucket of its
    own, so histograms would be as large as the samples. A second takes about 25 bytes, however many requests it had.
    """

    samples: tuple[int, ...]
    """Requests that started in the block."""
    failures: tuple[int, ...]
    p50_ms: tuple[float | None, ...]
    """Over successes, three significant digits; None in a block without any."""
    p95_ms: tuple[float | None, ...]
    max_ms: tuple[float | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One request name, or all: the whole run, and its blocks."""

    summary: RequestSummary
    blocks: Blocks


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """One run, small enough to be kept. Fractions are rounded, so that it is the same after a round trip."""

    scenario: str
    test: str
    """Node id of the test that made it."""
    started_at: str
    """ISO 8601 with the offset."""
    duration_s: float
    warmup_s: float
    verdict: Verdict
    total: Series
    requests: Mapping[str, Series]
    """By request key, ``GET Get_All_Products``."""
    counters: Mapping[str, float]
    generator: Mapping[str, float | None]
    """Health of the generator, as in the JSON report."""
    stages: tuple[Mapping[str, Any], ...]
    """The shape as run, to be read by people; compared is its hash."""
    configuration: Mapping[str, Any]
    """Further settings of the load as JSON values."""
    hashes: Mapping[str, str]
    """``scenario``, ``shape``, ``users``, ``configuration``."""
    fingerprint: Mapping[str, Any]
    """Machine, system and versions; see ``tailgate.fingerprint``."""
    commit: Commit | None = None
    tiers: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Where the slowest requests spent their time: see ``tailgate.tiers.Usual``. Empty where no server told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadIdentity:
    """What a load consisted of, beyond what its run tells."""

    shape: str
    """From ``hash_shape``."""
    users: str
    """From ``hash_users``."""
    configuration: Mapping[str, Any]
    """JSON values: tags, timeouts, kind of stack."""


def make_baseline(
    run: RunResult, judged: Judged, scenario: Scenario, *, load: LoadIdentity, commit: Commit | None = None
) -> Baseline:
    """Return what is kept of a run; whether it may be saved is told by ``refusal``."""
    inside = run.samples.within(run.window)
    requests = {
        key: Series(summary=_rounded_summary(judged.requests[key]), blocks=cut_blocks(samples, run.window))
        for key, samples in inside.by_key()
    }
    return Baseline(
        scenario=run.scenario,
        test=run.test,
        started_at=run.started_at,
        duration_s=_rounded(run.duration_s),
        warmup_s=run.warmup_s,
        verdict=judged.verdict,
        total=Series(summary=_rounded_summary(judged.total), blocks=cut_blocks(inside, run.window)),
        requests=requests,
        counters={name: _rounded(value) for name, value in judged.counters.items() if math.isfinite(value)},
        generator={
            name: _rounded_or_none(value) for name, value in asdict(judged.generator).items() if name != "workers"
        },
        stages=tuple(asdict(stage) for stage in run.stages),
        configuration=dict(load.configuration),
        hashes={
            "scenario": hash_scenario(scenario),
            "shape": load.shape,
            "users": load.users,
            "configuration": hash_value(load.configuration),
        },
        fingerprint=dict(judged.fingerprint),
        commit=commit,
        tiers={
            key: {tier.name: _rounded(tier.slowest_ms) for tier in summary.tiers}
            for key, summary in judged.tiers.items()
        },
    )


def refusal(judged: Judged, *, worse: str = "") -> str:
    """Return why a run must not be saved as a baseline; empty if it may be.

    Args:
        judged: The run with its verdict.
        worse: What a comparison held against it, if that decided its verdict.
    """
    if judged.verdict is Verdict.INVALID:
        return f"{judged.scenario}: not saved: the run is invalid: {judged.reasons[0]}"
    if judged.verdict is Verdict.FAIL:
        failed = [str(check) for check in worst_first([check for check in judged.checks if check.is_failed])]
        return f"{judged.scenario}: not saved: the run failed: {(failed or [worse])[0]}"
    return ""


def cut_blocks(samples: Measured, window: Window) -> Blocks:
    """Return the blocks of ``samples``, which started in ``window`` and are in the order of their starts."""
    count = max(0, math.ceil(window.duration_s / BLOCK_S - 1e-9))
    starts_s = window.start_s + BLOCK_S * np.arange(count)
    # The first and the last block are open: sums of lengths may be off by the last bit.
    parts = samples.split(starts_s[1:].tolist()) if count else []
    latencies = [part.successes for part in parts]
    return Blocks(
        samples=tuple(len(part) for part in parts),
        failures=tuple(part.failures for part in parts),
        p50_ms=_block_quantiles(latencies, P50),
        p95_ms=_block_quantiles(latencies, P95),
        max_ms=_block_quantiles(latencies, _ALL),
    )


def _block_quantiles(blocks: Sequence[Distribution], q: Fraction) -> tuple[float | None, ...]:
    return tuple(_rounded(block.percentile(q), _BLOCK_DIGITS) if block.count else None for block in blocks)


def _rounded_summary(summary: RequestSummary) -> RequestSummary:
    changes = {name: _rounded_or_none(value) for name, value in asdict(summary).items() if isinstance(value, float)}
    return replace(summary, **changes)  # type: ignore[arg-type] # figures that were floats stay floats


def _rounded_or_none(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else _rounded(value)


def _rounded(value: float, digits: int = _FIGURE_DIGITS) -> float:
    return float(f"{value:.{digits}g}")
