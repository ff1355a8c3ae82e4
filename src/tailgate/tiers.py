"""Where the time goes: what the generator measured, divided by what servers told about each request."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from statistics import median

import numpy as np
import numpy.typing as npt

from tailgate.checks import is_over_successes, measure
from tailgate.model import TOTAL, Check, CheckOutcome, TierFigures, TierSummary, Window, render_figure
from tailgate.percentiles import percentile
from tailgate.run import RunResult
from tailgate.samples import Measured, Samples, exact
from tailgate.windows import P95, after_warmup

GENERATOR = "network and generator"
"""The tier that has what is left of a latency: the way to the first server and back, and the generator itself."""

MIN_GROWTH_RATIO = 0.25
"""Growth of a tier that is worth a word, as a ratio of the mean latency of the slowest; two runs of the same code
differ by less than that."""

Told = Iterable[tuple[str, Mapping[str, float]]]
"""What servers tell about requests: the ``X-Request-Id``, and the milliseconds that the request spent in each tier,
from the first server on. What is told of one request several times, because it was redirected, is added up."""

Usual = Mapping[str, Mapping[str, float]]
"""Mean milliseconds in each tier, over the requests that took as long as the p95 or longer; by request key and
``total``."""

_MOST_DIGITS = 19
_Mask = npt.NDArray[np.bool_]


def with_tiers(samples: Samples, told: Told) -> Samples:
    """Return numbered samples with the time that each spent in every tier; what is told of other requests is left."""
    rows, first = _rows_by_number(samples)
    behind_ms: dict[str, npt.NDArray[np.float32]] = defaultdict(lambda: np.zeros(len(samples), dtype=np.float32))
    is_told: _Mask = np.zeros(len(samples), dtype=np.bool_)
    for request_id, times_ms in told:
        place = _number(request_id) - first
        row = rows[place] if 0 <= place < len(rows) else -1
        if row >= 0:
            is_told[row] = True
            for tier, ms in times_ms.items():
                behind_ms[tier][row] += ms
    if not is_told.any():
        return samples
    # A server that rounds to milliseconds may have taken longer than the whole.
    generator_ms = np.maximum(0, samples.latency_ms - sum(behind_ms.values()))
    tier_ms: npt.NDArray[np.float32] = np.stack([generator_ms.astype(np.float32), *behind_ms.values()])
    tier_ms[:, ~is_told] = np.nan
    return replace(samples, tiers=(GENERATOR, *behind_ms), tier_ms=tier_ms)


def summarise_tiers(samples: Measured) -> dict[str, TierSummary]:
    """Return where the time went by request key, and of all as ``total``; without those that no server told of."""
    if not isinstance(samples, Samples) or samples.tier_ms is None:
        return {}
    summaries = {key: _summarise(some) for key, some in (*samples.by_key(), (TOTAL, samples))}
    return {key: summary for key, summary in summaries.items() if summary is not None}


def explain_checks(run: RunResult, checks: Iterable[Check], usual: Usual | None = None) -> tuple[Check, ...]:
    """Return the checks, those of latencies that failed with what their slowest requests spent their time on.

    Args:
        run: A run whose samples have tiers, or not.
        checks: Its checks.
        usual: What the slowest requests of saved runs spent their time on.
    """
    if not isinstance(run.samples, Samples) or run.samples.tier_ms is None:
        return tuple(checks)
    return tuple(
        replace(check, breakdown=_explain(run, check, usual or {})) if _is_slow(check) else check for check in checks
    )


def usual_tiers(saved: Iterable[Usual]) -> Usual:
    """Return the medians of what saved runs tell, by request key and tier."""
    times_ms: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for run in saved:
        for key, tiers in run.items():
            for tier, ms in tiers.items():
                times_ms[key][tier].append(ms)
    return {key: {tier: median(values) for tier, values in tiers.items()} for key, tiers in times_ms.items()}


def _rows_by_number(samples: Samples) -> tuple[npt.NDArray[np.int64], int]:
    """Return the row of each number from the lowest on, -1 where there is none, and the lowest number."""
    assert samples.number is not None
    numbered = np.flatnonzero(samples.number)
    numbers = samples.number[numbered]
    first = int(numbers.min(initial=np.iinfo(np.int64).max))
    rows: npt.NDArray[np.int64] = np.full(int(numbers.max(initial=first - 1)) - first + 1, -1)
    rows[numbers - first] = numbered
    return rows, first


def _number(request_id: str) -> int:
    """Return the number that an id is, or one that no request has."""
    return int(request_id) if request_id.isdecimal() and len(request_id) <= _MOST_DIGITS else -1


def _told(samples: Samples) -> Samples:
    """Return the successes that a server told of."""
    assert samples.tier_ms is not None
    return samples.select(samples.is_success & ~np.isnan(samples.tier_ms[0]))


def _summarise(samples: Samples) -> TierSummary | None:
    told = _told(samples)
    if told.tier_ms is None or not len(told):
        return None
    slowest = _slowest(told, percentile(told.latency_ms, P95))
    return TierSummary(
        samples=len(told),
        slowest=slowest.count,
        tiers=tuple(
            TierFigures(name=name, p95_ms=percentile(ms.astype(np.float64), P95), slowest_ms=slowest.tier_ms[name])
            for name, ms in zip(told.tiers, told.tier_ms, strict=True)
        ),
    )


@dataclass(frozen=True, slots=True)
class _Slowest:
    """The slowest requests of one name, or all, in one window; means."""

    count: int
    latency_ms: float
    tier_ms: Mapping[str, float]


def _slowest(told: Samples, floor_ms: float) -> _Slowest:
    """Return the means over the requests that took ``floor_ms`` or longer, of which there is one at least."""
    slowest = told.select(told.latency_ms >= floor_ms)
    assert slowest.tier_ms is not None
    means_ms = slowest.tier_ms.mean(axis=1, dtype=np.float64)
    return _Slowest(
        len(slowest), float(slowest.latency_ms.mean()), dict(zip(slowest.tiers, map(float, means_ms), strict=True))
    )


def _is_slow(check: Check) -> bool:
    return check.outcome is CheckOutcome.FAIL and is_over_successes(check.threshold.metric)


def _explain(run: RunResult, check: Check, usual: Usual) -> str:
    """Return which tier held the slowest requests of a check, and which grew since saved runs or the first stage."""
    window, earlier = _windows_of(run, check.window)
    now = _slowest_of(run, window, check)
    if now is None:
        return ""
    holder = max(now.tier_ms, key=lambda name: now.tier_ms[name])
    text = f"{holder} took {_ms(now.tier_ms[holder])} of {_ms(now.latency_ms)} ms in {_which(check, now)}"
    if check.window == TOTAL and check.threshold.metric == "p95_ms" and check.subject in usual:
        return text + _growth(now, usual[check.subject], holder, "saved runs")
    before = _slowest_of(run, earlier, check) if earlier is not None else None
    return text + _growth(now, before.tier_ms, holder, f"stage {earlier.name}") if earlier and before else text


def _growth(now: _Slowest, before_ms: Mapping[str, float], holder: str, when: str) -> str:
    """Return what to add about the tier that grew most since ``when``; nothing if it did not grow by much."""
    growth_ms = {name: ms - before_ms.get(name, 0.0) for name, ms in now.tier_ms.items()}
    grown = max(growth_ms, key=lambda name: growth_ms[name])
    if growth_ms[grown] < MIN_GROWTH_RATIO * now.latency_ms:
        return ""
    since = f"from {_ms(before_ms.get(grown, 0.0))} ms in {when}"
    return f", up {since}" if grown == holder else f"; {grown} grew most, {since} to {_ms(now.tier_ms[grown])} ms"


def _which(check: Check, slowest: _Slowest) -> str:
    if check.threshold.metric == "mean_ms":
        return f"all {slowest.count:,}"
    return f"the {slowest.count:,} slowest" if slowest.count > 1 else "the slowest"


def _ms(value: float) -> str:
    return render_figure("p95_ms", value).removesuffix(" ms")


def _windows_of(run: RunResult, name: str) -> tuple[Window, Window | None]:
    """Return the window of a check, and the first stage if that is an earlier one, without the warm-up."""
    first, *others = (after_warmup(window, run.warmup_s) for window in run.windows)
    if name == TOTAL:
        return run.window, first if others else None
    own = next(window for window in (first, *others) if window.name == name)
    return own, None if own == first else first


def _slowest_of(run: RunResult, window: Window, check: Check) -> _Slowest | None:
    """Return the slowest requests of a check's subject in a window; None if no server told of any.

    They are those that took as long as the check's metric there, or longer: all of them where that is the mean.
    """
    everything = exact(run.samples).within(window)
    samples = everything if check.subject == TOTAL else everything.of_key(check.subject)
    metric = check.threshold.metric
    floor_ms = 0.0 if metric == "mean_ms" else measure(metric, samples, window.duration_s)
    told = _told(samples)
    if floor_ms is None or not (told.latency_ms >= floor_ms).any():
        return None
    return _slowest(told, floor_ms)
