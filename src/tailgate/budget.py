"""Tell when a failure budget is spent for good, so that a run need not go on."""

from __future__ import annotations

from tailgate.model import Scenario, Severity, render_figure

MOST_SPEED_UP = 2.0
"""The rest of a run is taken to send at most this many times the requests per user and second seen so far."""
FEWEST_SAMPLES = 50
"""Before this many samples the rate of requests is not known well enough to look ahead."""


def spent_budget(scenario: Scenario, *, samples: int, failures: int, user_s: float, left_user_s: float) -> str:
    """Return why the failure limits of the whole run cannot be kept any more; empty while they can.

    A ratio is out of reach when even a run that from now on only succeeds would end above it. How many requests
    are to come is estimated from above: the rate per user so far, times ``MOST_SPEED_UP``.

    Args:
        scenario: Whose limits; only those of the whole run that fail it count.
        samples: Requests after the warm-up so far.
        failures: Failures among them.
        user_s: User-seconds so far.
        left_user_s: User-seconds that the shape still asks for.
    """
    if samples < FEWEST_SAMPLES or user_s <= 0:
        return ""
    most_to_come = samples / user_s * left_user_s * MOST_SPEED_UP
    for threshold in scenario.thresholds:
        is_budget = threshold.kind == "total" and threshold.stage is None and threshold.severity is Severity.FAIL
        if not is_budget or threshold.max is None:
            continue
        limit = render_figure(threshold.metric, threshold.max)
        if threshold.metric == "failures" and failures > threshold.max:
            return f"{failures} failures are more than the {limit} allowed ({threshold.source})"
        if threshold.metric == "failure_ratio" and failures > threshold.max * (samples + most_to_come):
            return (
                f"{failures} of {samples:,} requests failed, and {limit} of at most {samples + most_to_come:,.0f} "
                f"cannot be kept any more ({threshold.source})"
            )
    return ""
