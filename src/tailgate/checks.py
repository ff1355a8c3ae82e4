"""Apply the thresholds of a scenario to a run: every limit, none left out, each with its figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from tailgate.distributions import Distribution
from tailgate.headroom import beyond_limit
from tailgate.model import TOTAL, Check, CheckOutcome, Scenario, Severity, Threshold, Window, match_name
from tailgate.percentiles import quantile_of, required_samples
from tailgate.run import RunResult
from tailgate.samples import Measured
from tailgate.windows import after_warmup


def check_run(run: RunResult, scenario: Scenario) -> tuple[Check, ...]:
    """Return one check for each threshold, window and request that it applies to, in the order of the file."""
    cuts = _Cuts(run)
    return tuple(check for threshold in scenario.thresholds for check in _check_threshold(threshold, run, cuts))


def measure(metric: str, samples: Measured, duration_s: float) -> float | None:
    """Return the value of a metric of the thresholds file in its own unit; None when there is no data for it."""
    if not len(samples) or duration_s <= 0:
        return None
    if is_over_successes(metric):
        return _measure_latencies(metric, samples.successes)
    failures, count = samples.failures, len(samples)
    return {
        "failure_ratio": failures / count,
        "failures": float(failures),
        "requests": float(count),
        "throughput_rps": (count - failures) / duration_s,
    }[metric]


def is_over_successes(metric: str) -> bool:
    """Tell whether the metric is about the latencies of successes, and not about all requests."""
    return quantile_of(metric) is not None or metric in {"mean_ms", "max_ms"}


def _measure_latencies(metric: str, latencies: Distribution) -> float | None:
    if not latencies.count:
        return None
    q = quantile_of(metric)
    if q is not None:
        return latencies.percentile(q)
    return latencies.mean_ms if metric == "mean_ms" else latencies.max_ms


def samples_wanted(threshold: Threshold) -> int:
    """Return how many samples the threshold needs before it can be judged."""
    if threshold.min_samples is not None:
        return threshold.min_samples
    q = quantile_of(threshold.metric)
    return required_samples(q) if q is not None else 1


def worst_first(checks: Sequence[Check]) -> tuple[Check, ...]:
    """Return the checks by how far each is beyond its limit, as a ratio of the limit."""
    return tuple(sorted(checks, key=lambda check: check.excess_ratio, reverse=True))


def matching_keys(pattern: str, keys: Sequence[str]) -> tuple[str, ...]:
    """Return the request keys that a pattern names, with the method (``GET Get_*``) or by the name alone."""
    return tuple(key for key in keys if match_name(pattern, key) or match_name(pattern, key.partition(" ")[2]))


class _Cuts:
    """The samples of windows and requests.

    The last cut is kept, because the limits on one subject follow one another; all of them would fill the memory.
    """

    def __init__(self, run: RunResult) -> None:
        self._run = run
        self.keys = tuple(sorted(run.samples.keys))
        """Every request of the run, whenever it was seen."""
        self._of_window: dict[Window, tuple[Measured, tuple[str, ...]]] = {}
        self._last: tuple[tuple[Window, str] | None, Measured] = None, run.samples

    def of_window(self, window: Window) -> tuple[Measured, tuple[str, ...]]:
        """Return the samples that started in ``window``, and the requests that are among them."""
        if window not in self._of_window:
            samples = self._run.samples.within(window)
            self._of_window[window] = samples, samples.present_keys
        return self._of_window[window]

    def of_request(self, window: Window, key: str) -> Measured:
        """Return the samples of one request that started in ``window``."""
        if self._last[0] != (window, key):
            self._last = (window, key), self.of_window(window)[0].of_key(key)
        return self._last[1]


def _check_threshold(threshold: Threshold, run: RunResult, cuts: _Cuts) -> Iterator[Check]:
    if threshold.kind == "counter":
        yield from _check_counter(threshold, run)
    elif threshold.stage is None:
        yield from _check_window(threshold, run.window, cuts)
    else:
        yield from _check_stages(threshold, threshold.stage, run, cuts)


def _check_counter(threshold: Threshold, run: RunResult) -> Iterator[Check]:
    actual = run.counters.get(threshold.subject)
    if actual is not None:
        yield _judge(threshold, threshold.subject, TOTAL, actual, samples=1)
    elif not threshold.allow_no_data:
        known = ", ".join(sorted(run.counters)) or "none"
        note = f"it was never counted (add 0 to it at the start if it may stay 0); the run has these counters: {known}"
        yield _no_data(threshold, threshold.subject, TOTAL, note)


def _check_stages(threshold: Threshold, pattern: str, run: RunResult, cuts: _Cuts) -> Iterator[Check]:
    if run.is_stress:
        # The steps of a stress run are there to break; what counts is how many users they held.
        threshold = replace(threshold, severity=Severity.INFO)
    names = [stage.name for stage in run.stages if match_name(pattern, stage.name)]
    if not names:
        known = ", ".join(stage.name for stage in run.stages)
        yield _no_data(threshold, threshold.subject, pattern, f"the shape has no such stage; its stages: {known}")
    begun = {window.name: window for window in run.windows}
    for name in names:
        if name in begun:
            yield from _check_window(threshold, after_warmup(begun[name], run.warmup_s), cuts)
        elif not run.is_stress and not threshold.allow_no_data:
            yield _no_data(threshold, threshold.subject, name, "the run ended before this stage began")


def _check_window(threshold: Threshold, window: Window, cuts: _Cuts) -> Iterator[Check]:
    everything, seen = cuts.of_window(window)
    if threshold.kind == "total":
        yield _check_samples(threshold, TOTAL, window, everything)
        return
    # Looked up in the whole run, so that a name means the same request in each of its windows.
    keys = matching_keys(threshold.subject, cuts.keys)
    present = [key for key in keys if key in seen]
    if "*" not in threshold.subject and len(keys) > 1:
        note = f"the name is ambiguous, write one of: {', '.join(keys)}"
        yield _no_data(threshold, threshold.subject, window.name, note)
    elif present:
        yield from (_check_samples(threshold, key, window, cuts.of_request(window, key)) for key in present)
    elif not threshold.allow_no_data:
        note = _why_empty(window) if keys else f"no request of that name; seen: {', '.join(cuts.keys) or 'none'}"
        yield _no_data(threshold, threshold.subject, window.name, note)


def _check_samples(threshold: Threshold, subject: str, window: Window, samples: Measured) -> Check:
    actual = measure(threshold.metric, samples, window.duration_s)
    if actual is None:
        note = f"all {len(samples):,} requests failed" if len(samples) else _why_empty(window)
        return _no_data(threshold, subject, window.name, note)
    count = len(samples) - samples.failures if is_over_successes(threshold.metric) else len(samples)
    check = _judge(threshold, subject, window.name, actual, samples=count)
    return check if check.actual is None else replace(check, beyond=beyond_limit(threshold, samples, window))


def _why_empty(window: Window) -> str:
    return "no requests" if window.duration_s > 0 else "the warm-up covers all of it"


def _judge(threshold: Threshold, subject: str, window: str, actual: float, *, samples: int) -> Check:
    wanted = samples_wanted(threshold)
    if threshold.kind != "counter" and samples < wanted and threshold.severity is not Severity.FAIL:
        # One that can fail the run is judged all the same: too few samples make the whole run invalid.
        return _no_data(threshold, subject, window, f"{samples:,} samples, {wanted:,} needed", samples=samples)
    is_high_enough = threshold.min is None or actual >= threshold.min
    is_low_enough = threshold.max is None or actual <= threshold.max
    return Check(
        threshold=threshold,
        subject=subject,
        window=window,
        actual=actual,
        samples=samples,
        outcome=CheckOutcome.PASS if is_high_enough and is_low_enough else CheckOutcome.FAIL,
        severity=threshold.severity,
    )


def _no_data(threshold: Threshold, subject: str, window: str, note: str, *, samples: int = 0) -> Check:
    return Check(
        threshold=threshold,
        subject=subject,
        window=window,
        actual=None,
        samples=samples,
        outcome=CheckOutcome.NO_DATA,
        note=note,
        severity=threshold.severity,
    )
