"""What a request costs the generator: tailgate under pytest beside ``locust --headless``."""

from __future__ import annotations

from benchmarks.processes import USERS, Watched, locust_command, static_server, tailgate_command, watch_generator
from benchmarks.values import Figure, Table

RUN_S = 6.0
SETTLE_S = 1.5
"""After the first answer; by then Locust has started all users, which it does in one second."""
TAIL_S = 0.5


def measure(rounds: int) -> list[Table]:
    """Run both in alternation; each goes first in every second round."""
    ours: list[tuple[float, float]] = []
    theirs: list[tuple[float, float]] = []
    with static_server() as server:
        sides = [(ours, tailgate_command()), (theirs, locust_command(server.url, RUN_S))]
        for number in range(rounds):
            for results, command in sides if number % 2 == 0 else reversed(sides):
                results.append(_steady(watch_generator(command, server, RUN_S)))
    our_costs, our_rates = zip(*ours, strict=True)
    their_costs, their_rates = zip(*theirs, strict=True)
    table = Table(
        title=f"{USERS} FastHttpUsers without wait time, nginx with a static answer, {rounds} rounds of {RUN_S:g} s",
        theirs="locust --headless",
        figures=(
            Figure(what="processor time a request", unit="µs", ours=our_costs, theirs=their_costs, most_ratio=1.05),
            Figure(what="requests", unit="/s", ours=our_rates, theirs=their_rates),
        ),
        notes=(
            "Processor time of the generator's process over the requests that nginx answered meanwhile, from",
            f"{SETTLE_S:g} s after the first to {TAIL_S:g} s before the last answer, so without start-up and teardown.",
            "The same file of users runs on both sides.",
        ),
    )
    return [table]


def _steady(watched: Watched) -> tuple[float, float]:
    return watched.steady(settle_s=SETTLE_S, tail_s=TAIL_S)
