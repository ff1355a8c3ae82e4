"""Figures that only some shapes have: the breaking point of a stress run, the drift of a soak."""

from __future__ import annotations

from dataclasses import replace

from tailgate.checks import check_run, worst_first
from tailgate.model import Check, CheckOutcome, Scenario, Stage, Window, match_name
from tailgate.percentiles import required_samples
from tailgate.run import RunResult
from tailgate.shapes import Soak, Stress
from tailgate.windows import P95, after_warmup, summarise


def with_shape_figures(run: RunResult, shape: object, scenario: Scenario) -> RunResult:
    """Return the run with the counters and notes that belong to its shape."""
    if isinstance(shape, Stress):
        return _with_breaking_point(run, scenario)
    if isinstance(shape, Soak):
        return _with_drift(run)
    return run


def broken_checks(run: RunResult, scenario: Scenario, stage: str) -> tuple[Check, ...]:
    """Return the checks of one step that did not pass, worst first; too few samples are not a pass."""
    checks = [check for check in check_run(run, scenario) if check.window == stage]
    return worst_first([check for check in checks if check.outcome is not CheckOutcome.PASS])


def _with_breaking_point(run: RunResult, scenario: Scenario) -> RunResult:
    held = 0
    for stage, window, reached in zip(run.stages, run.windows, run.users_reached, strict=False):
        if unknown := _why_unknown(scenario, stage, window):
            note = f"breaking point unknown: held {held} users, and at {stage.users} {unknown}"
            break
        if why := _why_broken(run, scenario, stage, reached):
            note = f"breaking point: held {held} users, broke at {stage.users}: {why}"
            break
        held = stage.users
    else:
        is_top = len(run.windows) == len(run.stages)
        where = "the top of the shape" if is_top else "and the run ended there"
        note = f"breaking point not reached: held {held} users, {where}"
    return replace(run.with_counters({"users_held": held}), notes=(*run.notes, note))


def _why_unknown(scenario: Scenario, step: Stage, window: Window) -> str:
    """Return why nothing can be said about a step; empty if something can."""
    if window.duration_s < step.duration_s - 1e-6:
        return f"the run ended after {window.duration_s:.1f} of {step.duration_s:g} s"
    if not any(limit.stage is not None and match_name(limit.stage, step.name) for limit in scenario.thresholds):
        return f"no limit under stages is for {step.name}"
    return ""


def _why_broken(run: RunResult, scenario: Scenario, step: Stage, reached: int) -> str:
    """Return why a whole step did not hold its users; empty if it did."""
    if reached < step.users:
        return f"{reached} of {step.users} users were reached"
    broken = broken_checks(run, scenario, step.name)
    return str(broken[0]) if broken else ""


def _with_drift(run: RunResult) -> RunResult:
    hold = next((window for window in run.windows if window.name == "hold"), None)
    if hold is None:
        return run
    hold = after_warmup(hold, run.warmup_s)
    third_s = hold.duration_s / 3
    first, last = (
        summarise(run.samples.within(Window(name="third", start_s=start_s, end_s=start_s + third_s)), third_s)
        for start_s in (hold.start_s, hold.end_s - third_s)
    )
    successes, needed = [third.samples - third.failures for third in (first, last)], required_samples(P95)
    if min(successes) < needed or not first.p95_ms or last.p95_ms is None:
        # Without both there is no drift; a limit on it then fails as "no data".
        found = " and ".join(f"{count:,}" for count in successes)
        note = f"p95 drift unknown: {found} successes in the first and last third of hold, {needed} needed in each"
        return replace(run, notes=(*run.notes, note))
    drift = last.p95_ms / first.p95_ms - 1
    note = (
        f"p95 drifted by {100 * drift:+.0f} % in hold: {first.p95_ms:.1f} ms in its first third, "
        f"{last.p95_ms:.1f} ms in its last"
    )
    return replace(run.with_counters({"p95_drift_ratio": drift}), notes=(*run.notes, note))
