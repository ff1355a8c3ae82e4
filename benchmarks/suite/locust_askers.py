"""What `locust --headless` runs: the users, and a line that says what Locust's statistics have found."""

from typing import Any

from askers import FastAsker, HttpAsker
from locust import events

__all__ = ["FastAsker", "HttpAsker"]


@events.quitting.add_listener
def report(environment: Any, **_: Any) -> None:
    """Write the percentiles of all requests."""
    percentiles_ms = map(environment.stats.total.get_response_time_percentile, (0.5, 0.95, 0.99))
    print("REPORTED", *percentiles_ms, flush=True)
