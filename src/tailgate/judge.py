"""Turn a run and the thresholds of its scenario into a verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tailgate.checks import check_run, matching_keys, worst_first
from tailgate.distributions import ERROR_RATIO
from tailgate.errors import InvalidRun, ThresholdBreach
from tailgate.model import (
    TOTAL,
    Check,
    CheckOutcome,
    GeneratorHealth,
    Judged,
    RequestSummary,
    Resolution,
    Scenario,
    Severity,
    StageResult,
    Verdict,
    count_of,
)
from tailgate.run import RunResult
from tailgate.samples import MOST_EXACT, Samples
from tailgate.tiers import Usual, explain_checks, summarise_tiers
from tailgate.validity import find_reasons
from tailgate.windows import after_warmup, summarise


def judge_run(
    run: RunResult, scenario: Scenario, *, fingerprint: Mapping[str, Any] | None = None, usual: Usual | None = None
) -> Judged:
    """Return the run with its checks, reasons and verdict; raises nothing, whatever the verdict.

    Args:
        run: What was measured.
        scenario: Its limits.
        fingerprint: Of this machine, to be reported.
        usual: Where requests of saved runs spent their time, to be told beside a breach.
    """
    checks = explain_checks(run, check_run(run, scenario), usual)
    reasons = find_reasons(run, scenario, checks)
    in_window = run.samples.within(run.window)
    requests = {key: summarise(samples, run.window.duration_s) for key, samples in in_window.by_key()}
    total = run.total
    unlimited = _unlimited_failures(run, total, checks)
    resolution = Resolution.EXACT if isinstance(run.samples, Samples) else Resolution.HISTOGRAMS
    return Judged(
        test=run.test,
        scenario=run.scenario,
        started_at=run.started_at,
        duration_s=run.duration_s,
        verdict=_verdict(reasons, checks, is_silent_on_failures=bool(unlimited)),
        reasons=reasons,
        checks=checks,
        requests=requests,
        total=total,
        counters=dict(run.counters),
        stages=_stage_results(run),
        errors=run.errors,
        uncovered=_uncovered(tuple(requests), scenario),
        generator=run.generator,
        fingerprint=dict(fingerprint or {}),
        notes=tuple(_notes(run, resolution, unlimited)),
        tiers=summarise_tiers(in_window),
        resolution=resolution,
    )


def judge_nothing(*, test: str, scenario: str, reasons: Sequence[str]) -> Judged:
    """Return what a load test is worth that ended before it had loaded anything: an invalid run without figures."""
    nothing = RequestSummary(
        samples=0, failures=0, mean_ms=None, p50_ms=None, p95_ms=None, p99_ms=None, max_ms=None, throughput_rps=0.0
    )
    idle = GeneratorHealth(
        loop_lag_p50_ms=0.0,
        loop_lag_p99_ms=0.0,
        cpu_ratio=0.0,
        cpu_us_per_request=None,
        host_cpu_ratio=None,
        steal_ratio=None,
    )
    return Judged(
        test=test,
        scenario=scenario,
        started_at=datetime.now(UTC).astimezone().isoformat(timespec="milliseconds"),
        duration_s=0.0,
        verdict=Verdict.INVALID,
        reasons=tuple(reasons),
        checks=(),
        requests={},
        total=nothing,
        counters={},
        stages=(),
        errors=(),
        uncovered=(),
        generator=idle,
        fingerprint={},
    )


def raise_for_verdict(judged: Judged) -> None:
    """Raise what the verdict means for a test.

    Raises:
        InvalidRun: The verdict is ``invalid``.
        ThresholdBreach: The verdict is ``fail``.
    """
    failed = worst_first([check for check in judged.checks if check.is_failed])
    if judged.verdict is Verdict.INVALID:
        raise InvalidRun(judged.scenario, judged.reasons, failed)
    if judged.verdict is Verdict.FAIL:
        raise ThresholdBreach(judged.scenario, failed)


def _verdict(reasons: Sequence[str], checks: Sequence[Check], *, is_silent_on_failures: bool) -> Verdict:
    if reasons:
        return Verdict.INVALID
    if any(check.is_failed for check in checks):
        return Verdict.FAIL
    if any(check.severity is Severity.WARN and check.outcome is not CheckOutcome.PASS for check in checks):
        return Verdict.WARN
    return Verdict.WARN if is_silent_on_failures else Verdict.PASS


def _unlimited_failures(run: RunResult, total: RequestSummary, checks: Sequence[Check]) -> tuple[str, ...]:
    """Say that requests failed and no check asks for it: limits of latency look at successes alone."""
    asking = [check for check in checks if _asks_for_failures(run, check, checks)]
    if not total.failures or any(check.threshold.kind == "total" and check.window == TOTAL for check in asking):
        return ()
    found: Counter[str] = Counter()
    has_stages = any(check.window != TOTAL for check in asking)
    for window in run.windows:
        within = [check for check in asking if check.window in {TOTAL, window.name}]
        if any(check.threshold.kind == "total" for check in within):
            continue
        asked = {check.subject for check in within}
        for key, samples in run.samples.within(after_warmup(window, run.warmup_s)).by_key():
            if samples.failures and key not in asked:
                found[f"{key} [{window.name}]" if has_stages else key] += samples.failures
    if not found:
        return ()
    failed = f"{found.total():,} of {count_of(total.samples, 'request')} failed"
    where = f" ({_most_frequent(found)})" if asking else ""
    return (f"{failed}, and no limit of the scenario says how many may{where}: add failure_ratio",)


def _asks_for_failures(run: RunResult, check: Check, checks: Sequence[Check]) -> bool:
    """Tell whether failures of the check's subject, in its window, can change the verdict.

    Those in the steps of a stress run do by the users that it held.
    """
    if check.threshold.metric not in {"failure_ratio", "failures"} or check.threshold.max is None:
        return False
    if check.severity is not Severity.INFO:
        return True
    held = [other for other in checks if other.threshold.kind == "counter" and other.subject == "users_held"]
    is_step = run.is_stress and check.window != TOTAL
    return is_step and any(other.severity is not Severity.INFO for other in held)


def _most_frequent(counts: Counter[str], most: int = 3) -> str:
    parts = [f"{name} x{count:,}" for name, count in counts.most_common(most)]
    if len(counts) > most:
        parts.append(f"and {len(counts) - most:,} more")
    return ", ".join(parts)


def _notes(run: RunResult, resolution: Resolution, unlimited: Sequence[str]) -> Iterator[str]:
    """Yield what a reader should know of a run and no check says."""
    yield from run.notes
    yield from unlimited
    if resolution is not Resolution.EXACT:
        yield (
            f"percentiles are from {resolution}, off by {100 * ERROR_RATIO:.2f} % at most, and windows are cut at "
            f"whole seconds, since more than {MOST_EXACT:,} requests are not kept one by one"
        )
    if run.facts.cut:
        yield f"cut after {run.duration_s:.1f} s: {run.facts.cut}"


def _stage_results(run: RunResult) -> tuple[StageResult, ...]:
    results = []
    for stage, reached, window in zip(run.stages, run.users_reached, run.windows, strict=False):
        judged = after_warmup(window, run.warmup_s)
        results.append(
            StageResult(
                name=stage.name,
                start_s=window.start_s,
                end_s=window.end_s,
                users=stage.users,
                users_reached=reached,
                arrival_rate_rps=stage.arrival_rate_rps,
                summary=summarise(run.samples.within(judged), judged.duration_s),
            )
        )
    return tuple(results)


def _uncovered(keys: Sequence[str], scenario: Scenario) -> tuple[str, ...]:
    patterns = [threshold.subject for threshold in scenario.thresholds if threshold.kind == "request"]
    covered = {key for pattern in patterns for key in matching_keys(pattern, keys)}
    return tuple(key for key in keys if key not in covered)
