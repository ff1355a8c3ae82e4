"""One metric of a run beside the same metric of saved runs: the change, and how far runs differ by themselves.

A saved run and a new one were made at different times, so they share nothing: not the state of the machine, not its
other guests. What such runs differ by without any change of the code can only be seen between saved runs; the length
of a run, or the number of its requests, says nothing about it. So the runs are the samples here, one number each.

Latencies and throughput are compared as logarithms: runs differ by a share, and twice as slow is as far from equal as
twice as fast. Failure ratios, which may be 0, are compared as angles, asin(sqrt(ratio)), where their noise is about
the same for rare and frequent failures and nearly symmetric.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from tailgate.baseline_rules import FAILURE_RATIO, THROUGHPUT, BaselineRules
from tailgate.compare_quantiles import incomplete_beta, normal_quantile, student_quantile
from tailgate.model import RequestSummary

_POWER_Z = normal_quantile(0.2)
"""A change that is larger than what can be told from noise by this many standard deviations is found in 4 of 5 runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """How much worse a metric got, and how sure that is.

    ``worse``, ``spread`` and ``allowed`` are logarithms of ratios, for a failure ratio differences of angles.
    """

    metric: str
    before: float
    """Mean of the saved runs, taken of logarithms or angles: the value at which nothing changed."""
    after: float
    worse: float
    """Above 0 is worse: slower, more failures, less throughput."""
    spread: float
    """Standard deviation between runs of the same code."""
    runs: int
    """Saved runs that had the metric."""
    is_measured: bool
    """Whether ``spread`` was measured on enough saved runs; otherwise it is assumed, and nothing can be decided."""
    allowed: float
    """A change has to be larger than this to count."""

    @property
    def noise(self) -> float:
        """Standard deviation of ``worse`` where nothing changed: the mean of the saved runs is uncertain as well.

        Source: prediction interval of a normal sample, Geisser 1993, ISBN 978-0-412-03471-8, section 2.2.
        """
        return self.spread * math.sqrt(1 + 1 / self.runs)

    @property
    def p_worse(self) -> float:
        """Probability of a change for the worse that is at least as large where nothing changed."""
        return self._tail(self.worse)

    @property
    def p_better(self) -> float:
        """Probability of a change for the better that is at least as large where nothing changed."""
        return self._tail(-self.worse)

    def margin(self, level: float) -> float:
        """Return by how much noise alone makes a metric worse with the probability ``level``."""
        if not self.is_measured:
            return normal_quantile(level) * self.noise
        return student_quantile(level, self.runs - 1) * self.noise

    def detectable(self, level: float) -> float:
        """Return the change that would be told from noise, and from what is allowed, in four of five runs."""
        return max(self.margin(level), self.allowed) + _POWER_Z * self.noise

    def as_change(self, worse: float) -> float:
        """Turn a point on the scale of ``worse`` into a change: a ratio, for a failure ratio a difference."""
        if self.metric == FAILURE_RATIO:
            angle = min(max(_angle(self.before) + worse, 0.0), math.pi / 2)
            return math.sin(angle) ** 2 - self.before
        try:
            return math.expm1(-worse if self.metric == THROUGHPUT else worse)
        except OverflowError:
            return math.inf

    def _tail(self, worse: float) -> float:
        t = worse / self.noise
        freedom = max(1, self.runs - 1)
        tail = incomplete_beta(freedom / (freedom + t * t), freedom / 2, 0.5) / 2
        return tail if t > 0 else 1 - tail


def value_of(summary: RequestSummary, metric: str) -> float | None:
    """Return a metric of a request; None where there is no data."""
    if metric == FAILURE_RATIO:
        return summary.failures / summary.samples if summary.samples else None
    value: float | None = getattr(summary, metric)
    return value


def measure_ratio(metric: str, before: Sequence[float], after: float, rules: BaselineRules) -> Effect:
    """Return the effect on a latency or on the throughput.

    Args:
        metric: Any but the failure ratio.
        before: The values of the saved runs, at least one, each greater than 0.
        after: The value of the new run, 0 or more.
        rules: How sure to be.
    """
    logs = [math.log(value) for value in before]
    mean = fmean(logs)
    sign = -1 if metric == THROUGHPUT else 1
    base = math.exp(mean)
    floor = rules.min_change_rps if metric == THROUGHPUT else rules.min_change_ms
    allowed_ratio = max(rules.max_change_ratio, floor / base)
    seen = stdev(logs) if len(logs) > 1 else 0.0
    is_measured = len(logs) >= rules.min_runs
    return Effect(
        metric=metric,
        before=base,
        after=after,
        worse=sign * (math.log(after) - mean) if after > 0 else math.inf * -sign,
        spread=max(seen, rules.min_spread_ratio if is_measured else rules.assumed_spread_ratio),
        runs=len(logs),
        is_measured=is_measured,
        # A fall by a share is further on the logarithmic scale than a rise by it; nothing falls by more than all.
        allowed=math.log1p(allowed_ratio) if sign > 0 else -math.log1p(-min(allowed_ratio, 1 - 1e-9)),
    )


def measure_failures(before: Sequence[RequestSummary], after: RequestSummary, rules: BaselineRules) -> Effect:
    """Return the effect on the failure ratio.

    Few failures, above all none, do not show their spread: that of a binomial share of the new run's requests is the
    least that is assumed.

    Args:
        before: The saved runs, at least one, each with samples.
        after: The new run, with samples.
        rules: How sure to be.
    """
    angles = [_angle(summary.failures / summary.samples) for summary in before]
    mean = fmean(angles)
    ratio = after.failures / after.samples
    is_measured = len(angles) >= rules.min_runs
    seen = stdev(angles) if len(angles) > 1 else 0.0
    # A share of p that varies by a ratio r varies by r tan(angle) / 2 as an angle.
    assumed = 0.0 if is_measured else rules.assumed_spread_ratio * math.tan(mean) / 2
    binomial = 1 / (2 * math.sqrt(after.samples))
    base = math.sin(mean) ** 2
    return Effect(
        metric=FAILURE_RATIO,
        before=base,
        after=ratio,
        worse=_angle(ratio) - mean,
        spread=max(seen, math.hypot(binomial, assumed)),
        runs=len(angles),
        is_measured=is_measured,
        allowed=_angle(min(1.0, base + rules.min_change_failure_ratio)) - mean,
    )


def _angle(share: float) -> float:
    """Return asin(sqrt(share)), whose variance hardly depends on the share, and which exists for 0.

    Source: Anscombe 1948, https://doi.org/10.1093/biomet/35.3-4.246.
    """
    return math.asin(math.sqrt(share))
