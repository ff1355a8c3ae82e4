"""Apply the thresholds of a scenario to a run: every limit, none left out, each with its figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from tailgate.model import TOTAL, Check, CheckOutcome, Scenario, Severity, Threshold, Window, match_name
from tailgate.percentiles import Latencies, percentile, quantile_of, required_samples
from tailgate.run import RunResult
from tailgate.samples import Samples
from tailgate.windows import after_warmup


def check_run(run: RunResult, scenario: Scenario) -> tuple[Check, ...]:
    """Return one check for each threshold, window and request that it applies to, in the order of the file."""
    cuts = _Cuts(run)
    return tuple(check for threshold in scenario.thresholds for check in _check_threshold(threshold, run, cuts))


def measure(metric: str, samples: Samples, duration_s: float) -> float | None:
    """Return the value of a metric of the thresholds file in its own unit; None when there is no data for it."""
    if not len(samples) or duration_s <= 0:
        return None
    if is_over_successes(metric):
        return _measure_latencies(metric, samples.success_latencies_ms)
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


def _measure_latencies(metric: str, latencies_ms: Latencies) -> float | None:
    if not latencies_ms.size:
        return None
    q = quantile_of(metric)
    if q is not None:
        return percentile(latencies_ms, q)
    return float(latencies_ms.mean() if metric == "mean_ms" else latencies_ms.max())


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
        self._of_window: dict[Window, tuple[Samples, tuple[str, ...]]] = {}
        self._last: tuple[tuple[Window, str] | None, Samples] = None, run.samples

    def of_window(self, window: Window) -> tuple[Samples, tuple[str, ...]]:
        """Return the samples that started in ``window``, and the requests that are among them."""
        if window not in self._of_window:
            samples = self._run.samples.within(window)
            self._of_window[window] = samples, samples.present_keys
        return self._of_window[window]

    def of_request(self, window: Window, key: str) -> Samples:
        """Return the samples of one request that started in ``window``."""
        if self._last[0] != (window, key):
            self._last = (window, key), self.of_window(window)[0].of_key(key)
        return self._last[1]


def _check_threshold(threshold: Threshold, run: RunResult, cuts: _Cuts) -> Iterator[Check]:
    if threshold.kind == "counter":
        yield from _check_counter(threshold, run)
        return
    if threshold.stage is None:
        yield from _check_window(threshold, run.window, cuts)
        return
    for window in run.windows:
        if match_name(threshold.stage, window.name):
            checks = _check_window(threshold, after_warmup(window, run.warmup_s), cuts)
            # The steps of a stress run are there to break; what counts is how many users they held.
            yield from (replace(check, severity=Severity.INFO) for check in checks) if run.is_stress else checks


def _check_counter(threshold: Threshold, run: RunResult) -> Iterator[Check]:
    actual = run.counters.get(threshold.subject)
    if actual is None and threshold.allow_no_data:
        return
    known = ", ".join(sorted(run.counters)) or "none"
    yield _verdict_of(
        threshold, threshold.subject, TOTAL, actual, samples=1, note=f"the run has these counters: {known}"
    )


def _check_window(threshold: Threshold, window: Window, cuts: _Cuts) -> Iterator[Check]:
    everything, seen = cuts.of_window(window)
    if threshold.kind == "total":
        yield _check_samples(threshold, TOTAL, window, everything)
        return
    keys = matching_keys(threshold.subject, seen)
    is_one_name = "*" not in threshold.subject
    if is_one_name and len(keys) > 1:
        note = f"the name is ambiguous, write one of: {', '.join(keys)}"
        yield _verdict_of(threshold, threshold.subject, window.name, None, samples=0, note=note)
    elif not keys and not threshold.allow_no_data:
        note = f"no request of that name; seen: {', '.join(seen) or 'none'}"
        yield _verdict_of(threshold, threshold.subject, window.name, None, samples=0, note=note)
    else:
        yield from (_check_samples(threshold, key, window, cuts.of_request(window, key)) for key in keys)


def _check_samples(threshold: Threshold, subject: str, window: Window, samples: Samples) -> Check:
    actual = measure(threshold.metric, samples, window.duration_s)
    count = len(samples) - samples.failures if is_over_successes(threshold.metric) else len(samples)
    note = f"all {len(samples):,} requests failed" if len(samples) and not count else "no requests"
    return _verdict_of(threshold, subject, window.name, actual, samples=count, note=note)


def _verdict_of(
    threshold: Threshold, subject: str, window: str, actual: float | None, *, samples: int, note: str
) -> Check:
    check = Check(
        threshold=threshold,
        subject=subject,
        window=window,
        actual=actual,
        samples=samples,
        outcome=CheckOutcome.NO_DATA,
        note=note,
        severity=threshold.severity,
    )
    if actual is None:
        return check
    wanted = samples_wanted(threshold)
    if threshold.kind != "counter" and samples < wanted and threshold.severity is not Severity.FAIL:
        return replace(check, actual=None, note=f"{samples:,} samples, {wanted:,} needed")
    is_high_enough = threshold.min is None or actual >= threshold.min
    is_low_enough = threshold.max is None or actual <= threshold.max
    outcome = CheckOutcome.PASS if is_high_enough and is_low_enough else CheckOutcome.FAIL
    return replace(check, outcome=outcome, note="")
