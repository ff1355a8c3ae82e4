"""Find every reason why a run cannot answer the question that is asked of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tailgate.checks import samples_wanted
from tailgate.model import (
    TOTAL,
    Check,
    ErrorCount,
    GeneratorHealth,
    GeneratorLimits,
    RequestSummary,
    Scenario,
    Severity,
    WorkerHealth,
    count_of,
    render_beside,
    render_figure,
    render_limit,
)
from tailgate.percentiles import quantile_of
from tailgate.run import RunResult

CLOCK_JUMP_LIMIT_S = 0.1
"""A wall clock that moves further than this makes the start times worthless."""


def find_reasons(run: RunResult, scenario: Scenario, checks: Sequence[Check]) -> tuple[str, ...]:
    """Return the reasons, one sentence with figures each; none means that the run is valid."""
    return (*find_load_reasons(run, scenario), *_nothing_checked(run, checks), *_too_few_samples(run, checks))


def find_load_reasons(run: RunResult, scenario: Scenario) -> tuple[str, ...]:
    """Return the reasons that have nothing to do with limits: those why the load was not what was asked for."""
    total = run.total
    return (
        *_ended_from_outside(run),
        *_nothing_measured(run, total),
        *_users_missing(run),
        *_exceptions(run, scenario),
        *_lost_requests(run),
        *_generator_saturated(run, total, scenario.generator),
        *_badly_paced(run, total, scenario.generator),
    )


def _ended_from_outside(run: RunResult) -> Iterator[str]:
    if run.facts.interrupted:
        yield f"interrupted by {run.facts.interrupted} after {run.duration_s:.1f} s"
    if run.facts.stopped:
        yield f"ended early, after {run.duration_s:.1f} s: {run.facts.stopped}"
    yield from run.facts.stack_deaths
    yield from run.facts.action_errors
    yield from run.facts.worker_problems
    if abs(run.facts.clock_jump_s) > CLOCK_JUMP_LIMIT_S:
        yield f"the wall clock jumped by {run.facts.clock_jump_s:+.2f} s during the run"


def _nothing_measured(run: RunResult, total: RequestSummary) -> Iterator[str]:
    if not len(run.samples):
        yield "no samples: not one request was made"
    elif not total.samples:
        window = run.window
        yield (
            f"no samples in the judged time: none of {count_of(len(run.samples), 'request')} started between "
            f"{window.start_s:g} s, the end of the warm-up, and {window.end_s:g} s"
        )


def _nothing_checked(run: RunResult, checks: Sequence[Check]) -> Iterator[str]:
    if not checks:
        yield "nothing was checked: no limit of the scenario applies to a request that was made"
    elif all(check.severity is Severity.INFO for check in checks):
        if run.is_stress and any(check.window != TOTAL for check in checks):
            yield (
                "nothing was checked: limits for the steps of a stress run fail nothing by themselves; add "
                f"counters: {{users_held: {{min: {run.stages[0].users}}}}}, or as many users as it has to hold"
            )
        else:
            yield "nothing was checked: every limit that applies is of severity info"
    elif run.facts.cut and not any(check.is_failed for check in checks):
        yield f"the run was cut, but no check fails on what was measured until then: {run.facts.cut}"


def _users_missing(run: RunResult) -> Iterator[str]:
    for stage, reached, window in zip(run.stages, run.users_reached, run.windows, strict=False):
        was_cut_short = window.duration_s < stage.duration_s - 1e-6
        if reached < stage.users and not was_cut_short:
            yield f"stage {stage.name!r} never reached its level: {reached} of {stage.users} users"
    if run.facts.user_deaths:
        count = sum(death.count for death in run.facts.user_deaths)
        yield f"{count_of(count, 'user')} ended before being asked to: {render_errors(run.facts.user_deaths)}"
    if run.facts.unstoppable_users:
        yield f"{count_of(run.facts.unstoppable_users, 'user')} did not stop when killed"


def _exceptions(run: RunResult, scenario: Scenario) -> Iterator[str]:
    count = sum(error.count for error in run.facts.task_exceptions)
    if count > scenario.max_task_exceptions:
        yield (
            f"tasks raised {count_of(count, 'exception')}, allowed are {scenario.max_task_exceptions} "
            f"(max_task_exceptions): {render_errors(run.facts.task_exceptions)}"
        )
    if run.facts.listener_errors:
        yield f"listeners of Locust's events raised: {render_errors(run.facts.listener_errors)}"


def _lost_requests(run: RunResult) -> Iterator[str]:
    if run.samples.censored:
        yield (
            f"{count_of(run.samples.censored, 'request')} still without an answer when the run ended; the oldest had "
            f"waited {run.samples.longest_censored_ms / 1000:.1f} s"
        )
    if run.facts.unreported:
        yield (
            f"{count_of(run.facts.unreported, 'request')} without an outcome: a response taken with "
            "catch_response=True was not used in a with-block, or its block was left by an exception"
        )


def _generator_saturated(run: RunResult, total: RequestSummary, limits: GeneratorLimits) -> Iterator[str]:
    health = run.generator
    advice = "use fewer users or longer waits" if health.due is None else "lower the rate"
    if not health.workers:
        yield from _process_saturated("its event loop", "it", health, total, limits, advice=advice)
    for worker in health.workers:
        name = f"worker {worker.name}"
        yield from _process_saturated(f"the event loop of {name}", name, worker, total, limits, advice=advice)


def _process_saturated(
    loop: str,
    who: str,
    health: GeneratorHealth | WorkerHealth,
    total: RequestSummary,
    limits: GeneratorLimits,
    *,
    advice: str,
) -> Iterator[str]:
    p95_ms = total.p95_ms
    if p95_ms is not None:
        limit_ms = max(limits.min_loop_lag_ms, limits.max_loop_lag_ratio * p95_ms)
        if health.loop_lag_p99_ms > limit_ms:
            yield (
                f"generator saturated: {loop} was late by "
                f"{render_beside('lag_ms', health.loop_lag_p99_ms, [limit_ms])} (p99), more than "
                f"{render_figure('lag_ms', limit_ms)} is too much beside a p95 of {render_figure('p95_ms', p95_ms)}; "
                f"{advice}"
            )
    if health.blocked_ratio > limits.max_blocked_ratio:
        share = render_beside("_ratio", health.blocked_ratio, (limits.max_blocked_ratio,))
        yield (
            f"generator saturated: {loop} stood still for {share} of the time, allowed are "
            f"{render_limit('_ratio', limits.max_blocked_ratio)}; users must not block, as time.sleep and requests do"
        )
    if health.cpu_ratio > limits.max_cpu_ratio:
        yield (
            f"generator saturated: {who} used {render_beside('cpu_ratio', health.cpu_ratio, [limits.max_cpu_ratio])} "
            f"of one core, allowed are {render_limit('cpu_ratio', limits.max_cpu_ratio)}; {advice}"
        )


def _badly_paced(run: RunResult, total: RequestSummary, limits: GeneratorLimits) -> Iterator[str]:
    """Find requests that were not sent when they should have been."""
    health, p95_ms = run.generator, total.p95_ms
    if health.due and health.unsent and 1 - health.unsent / health.due < limits.min_achieved_ratio:
        yield (
            f"{health.unsent:,} of {count_of(health.due, 'task')} that were due were not sent, since every user was "
            f"busy or could not start; at least {render_limit('achieved_ratio', limits.min_achieved_ratio)} must be: "
            "lower the rate, or find out why the service hangs"
        )
    if health.send_lag_p99_ms is not None and p95_ms is not None:
        limit_ms = max(limits.min_send_lag_ms, limits.max_send_lag_ratio * p95_ms)
        if health.send_lag_p99_ms > limit_ms:
            late, most = render_beside("lag_ms", health.send_lag_p99_ms, [limit_ms]), render_figure("lag_ms", limit_ms)
            yield (
                f"generator saturated: requests were sent {late} late (p99), more than {most} is too much beside a "
                f"p95 of {render_figure('p95_ms', p95_ms)}; lower the rate"
            )
    if health.dispersion is not None and health.dispersion > limits.max_dispersion:
        herds = f"requests were sent in herds (index of dispersion {health.dispersion:.2f} > {limits.max_dispersion:g})"
        if health.due is not None:
            yield f"{herds}: the generator was held up; lower the rate"
        elif run.facts.paced_classes:
            yield (
                f"{herds}: constant_pacing and constant_throughput keep the users of "
                f"{', '.join(run.facts.paced_classes)} in step; use Arrivals, or between() as their wait_time"
            )


def _too_few_samples(run: RunResult, checks: Sequence[Check]) -> Iterator[str]:
    if run.facts.cut:
        return  # A run that was ended because it had failed needs no more samples to have failed.
    for check in checks:
        wanted = samples_wanted(check.threshold)
        is_judged = check.threshold.kind != "counter" and check.severity is Severity.FAIL
        if is_judged and 0 < check.samples < wanted:
            has_default = check.threshold.min_samples is None and quantile_of(check.threshold.metric) is not None
            why = f"{check.threshold.metric} needs" if has_default else "min_samples asks for"
            where = check.subject if check.window == TOTAL else f"{check.subject} [{check.window}]"
            yield f"{where}: {count_of(check.samples, 'sample')}, {why} {wanted:,} ({check.threshold.source})"


def render_errors(errors: Sequence[ErrorCount], most: int = 3) -> str:
    """Return the most frequent errors with their counts, each once, as one line."""
    ordered = sorted(errors, key=lambda error: -error.count)
    parts = [f"{error.where}: {error.error} (x{error.count})" for error in ordered[:most]]
    if len(ordered) > most:
        parts.append(f"and {count_of(len(ordered) - most, 'other kind')}")
    return "; ".join(parts)
