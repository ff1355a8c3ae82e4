"""Tell when a failure budget is spent for good, so that a run need not go on."""

from __future__ import annotations

import math

from tailgate.model import Scenario, Severity, Threshold, render_limit

MOST_SPEED_UP = 2.0
"""The rest of a run is taken to send at most this many times the requests per user and second seen so far."""
FEWEST_SAMPLES = 50
"""Before this many samples the rate of requests is not known well enough to look ahead."""


def spent_budget(scenario: Scenario, *, samples: int, failures: int, rps_per_user: float, left_user_s: float) -> str:
    """Return why the failure limits of the whole run cannot be kept any more; empty while they can.

    A ratio is out of reach when even a run that from now on only succeeds would end above it. How many requests
    are to come is estimated from above: the rate per user so far, times ``MOST_SPEED_UP``.

    Args:
        scenario: Whose limits; only those of the whole run that fail it count.
        samples: Requests after the warm-up so far.
        failures: Failures among them.
        rps_per_user: Requests of the whole run so far, the warm-up included, over its user-seconds.
        left_user_s: User-seconds that the shape still asks for; infinite where only the shape knows.
    """
    most_samples = samples + rps_per_user * left_user_s * MOST_SPEED_UP
    for threshold in scenario.thresholds:
        is_budget = threshold.kind == "total" and threshold.stage is None and threshold.severity is Severity.FAIL
        if is_budget and threshold.max is not None:
            reason = _spent(threshold, threshold.max, samples, failures, most_samples)
            if reason:
                return reason
    return ""


def _spent(threshold: Threshold, most: float, samples: int, failures: int, most_samples: float) -> str:
    limit = render_limit(threshold.metric, most)
    if threshold.metric == "failures" and failures > most:
        return f"{failures:,} failures are more than the {limit} allowed ({threshold.source})"
    if threshold.metric != "failure_ratio" or samples < FEWEST_SAMPLES:
        return ""
    # The limit of 0 apart, because nothing times an infinite number is not a number.
    if failures > (most * most_samples if most else 0):
        of_how_many = f"of at most {most_samples:,.0f}" if math.isfinite(most_samples) else "of however many"
        return (
            f"{failures:,} of {samples:,} requests failed, and {limit} {of_how_many} cannot be kept any more "
            f"({threshold.source})"
        )
    return ""
