"""What recording one request costs, apart from sending it."""

from __future__ import annotations

from benchmarks.processes import run_child
from benchmarks.values import Figure, Table

MOST_US = 5.0
"""Goal for what one request costs."""


def measure(rounds: int) -> list[Table]:
    """Fire the same event at both hooks in alternation, in one process, twice as often as other benchmarks."""
    us = run_child("recording", 2 * rounds)
    both = tuple(event + counter for event, counter in zip(us["tailgate"], us["counter"], strict=True))
    table = Table(
        title=f"One successful request event, recorded, {2 * rounds} rounds of 100,000",
        theirs="Locust's statistics",
        figures=(
            Figure(what="event fired and recorded", unit="µs", ours=tuple(us["tailgate"]), theirs=tuple(us["locust"])),
            Figure(what="of it Recorder.record", unit="µs", ours=tuple(us["recorder"])),
            Figure(what="a counter added to", unit="µs", ours=tuple(us["counter"])),
            Figure(what="event and counter", unit="µs", ours=both, most=MOST_US),
        ),
    )
    return [table]
