"""What a request costs the generator: tailgate under pytest beside ``locust --headless``."""

from __future__ import annotations

from benchmarks.processes import (
    AFTER_5_MS,
    AT_ONCE,
    USERS,
    StaticServer,
    Watched,
    locust_command,
    static_server,
    tailgate_command,
    watch_generator,
)
from benchmarks.values import Figure, Table

RUN_S = 6.0
SETTLE_S = 1.5
"""After the first answer; by then Locust has started all users, which it does in one second."""
TAIL_S = 0.5
MOST_RATIO = 1.05


def measure(rounds: int) -> list[Table]:
    """Measure at a load that leaves the generator room, as a valid run has to, and at all that it can send."""
    with static_server() as server:
        return [
            _table(server, AFTER_5_MS, "nginx that answers after 5 ms", rounds),
            _table(server, AT_ONCE, "nginx that answers at once", rounds),
        ]


def _table(server: StaticServer, path: str, what: str, rounds: int) -> Table:
    """Run both in alternation; each goes first in every second round."""
    ours: list[tuple[float, float]] = []
    theirs: list[tuple[float, float]] = []
    sides = [(ours, tailgate_command()), (theirs, locust_command(server.url, RUN_S))]
    for number in range(rounds):
        for results, command in sides if number % 2 == 0 else reversed(sides):
            results.append(_steady(watch_generator(command, server, RUN_S, path)))
    our_costs, our_rates = zip(*ours, strict=True)
    their_costs, their_rates = zip(*theirs, strict=True)
    return Table(
        title=f"{USERS} FastHttpUsers without wait time, {what}, {rounds} rounds of {RUN_S:g} s",
        theirs="locust --headless",
        figures=(
            Figure(
                what="processor time a request", unit="µs", ours=our_costs, theirs=their_costs, most_ratio=MOST_RATIO
            ),
            Figure(what="requests", unit="/s", ours=our_rates, theirs=their_rates),
        ),
        notes=(
            "Processor time of the generator's process over the requests that nginx answered meanwhile, from",
            f"{SETTLE_S:g} s after the first to {TAIL_S:g} s before the last answer, so without start-up and teardown.",
            "The same file of users runs on both sides.",
        ),
    )


def _steady(watched: Watched) -> tuple[float, float]:
    return watched.steady(settle_s=SETTLE_S, tail_s=TAIL_S)
