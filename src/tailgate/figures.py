"""Figures that only some shapes have: the breaking point of a stress run, the drift of a soak."""

from __future__ import annotations

from dataclasses import replace

from tailgate.checks import check_run, samples_wanted
from tailgate.model import Check, CheckOutcome, Scenario, Window
from tailgate.run import RunResult
from tailgate.shapes import Soak, Stress
from tailgate.windows import after_warmup, summarise


def with_shape_figures(run: RunResult, shape: object, scenario: Scenario) -> RunResult:
    """Return the run with the counters and notes that belong to its shape."""
    if isinstance(shape, Stress):
        return _with_breaking_point(run, scenario)
    if isinstance(shape, Soak):
        return _with_drift(run)
    return run


def broken_checks(run: RunResult, scenario: Scenario, stage: str) -> tuple[Check, ...]:
    """Return the checks of one stage that did not pass; too few samples count as not passed."""
    checks = [check for check in check_run(run, scenario) if check.window == stage]
    return tuple(
        check
        for check in checks
        if check.outcome is not CheckOutcome.PASS or check.samples < samples_wanted(check.threshold)
    )


def _with_breaking_point(run: RunResult, scenario: Scenario) -> RunResult:
    held, note = 0, ""
    for stage, window, reached in zip(run.stages, run.windows, run.users_reached, strict=False):
        broken = broken_checks(run, scenario, stage.name)
        is_whole = window.duration_s >= stage.duration_s - 1e-6
        if broken or reached < stage.users or not is_whole:
            why = str(broken[0]) if broken else f"{reached} of {stage.users} users were reached"
            note = f"breaking point: held {held} users, broke at {stage.users}: {why}"
            break
        held = stage.users
    note = note or f"breaking point not reached: held {held} users, the top of the shape"
    return replace(run.with_counters({"users_held": held}), notes=(*run.notes, note))


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
    if first.p95_ms is None or last.p95_ms is None or first.p95_ms == 0:
        return run  # Without both thirds there is no drift; a limit on it then fails as "no data".
    drift = last.p95_ms / first.p95_ms - 1
    note = (
        f"p95 drifted by {drift:+.0%} in hold: {first.p95_ms:.1f} ms in its first third, {last.p95_ms:.1f} in its last"
    )
    return replace(run.with_counters({"p95_drift_ratio": drift}), notes=(*run.notes, note))
