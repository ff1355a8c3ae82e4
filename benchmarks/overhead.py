"""What a request costs the generator: tailgate under pytest beside ``locust --headless``."""

from __future__ import annotations

from benchmarks.processes import (
    AFTER_5_MS,
    AT_ONCE,
    USERS,
    StaticServer,
    locust_command,
    static_server,
    tailgate_command,
    watch_generator,
)
from benchmarks.values import Figure, Table

RUN_S = 4.0
SETTLE_S = 1.2
"""After the first answer; by then Locust has started all users, which it does in one second."""
TAIL_S = 0.3
MOST_RATIO = 1.05
LEAN_RATIO = 0.3
_UNPATCHED = ("env", "LOCUST_SKIP_MONKEY_PATCH=1")
_LEAN = ("env", "BENCHMARK_CLIENT=lean")


def measure(rounds: int) -> list[Table]:
    """Measure at a load that leaves the generator room, as a valid run has to, and at all that it can send."""
    with static_server() as server:
        return [
            _table(server, AFTER_5_MS, "nginx that answers after 5 ms", rounds),
            _table(server, AT_ONCE, "nginx that answers at once", rounds),
        ]


def _table(server: StaticServer, path: str, what: str, rounds: int) -> Table:
    """Run all four in turns; the order is reversed in every second round."""
    locust = locust_command(server.url, RUN_S)
    commands = {
        "lean": [*_LEAN, *tailgate_command()],
        "tailgate": tailgate_command(),
        "locust": locust,
        "unpatched": [*_UNPATCHED, *locust],
    }
    seen: dict[str, list[tuple[float, float]]] = {side: [] for side in commands}
    for number in range(rounds):
        for side in list(commands)[:: 1 if number % 2 == 0 else -1]:
            watched = watch_generator(commands[side], server, RUN_S, path)
            seen[side].append(watched.steady(settle_s=SETTLE_S, tail_s=TAIL_S))
    cost_us = {side: tuple(cost for cost, _ in results) for side, results in seen.items()}
    rate_rps = {side: tuple(rate for _, rate in results) for side, results in seen.items()}
    return Table(
        title=f"{USERS} FastHttpUsers without wait time, {what}, {rounds} rounds of {RUN_S:g} s",
        theirs="locust --headless",
        figures=(
            Figure(
                what="processor time a request",
                unit="µs",
                ours=cost_us["tailgate"],
                theirs=cost_us["locust"],
                most_ratio=MOST_RATIO,
            ),
            Figure(what="- beside Locust unpatched", unit="µs", ours=cost_us["tailgate"], theirs=cost_us["unpatched"]),
            Figure(
                what="- of LeanHttpUsers",
                unit="µs",
                ours=cost_us["lean"],
                theirs=cost_us["locust"],
                most_ratio=LEAN_RATIO,
            ),
            Figure(what="requests", unit="/s", ours=rate_rps["tailgate"], theirs=rate_rps["locust"]),
            Figure(
                what="- beside Locust unpatched", unit="/s", ours=rate_rps["tailgate"], theirs=rate_rps["unpatched"]
            ),
            Figure(what="- of LeanHttpUsers", unit="/s", ours=rate_rps["lean"], theirs=rate_rps["locust"]),
        ),
        notes=(
            "Processor time of the generator's process over the requests that nginx answered meanwhile, from",
            f"{SETTLE_S:g} s after the first to {TAIL_S:g} s before the last answer, so without start-up and teardown.",
            "The same file of users runs on all sides; those of tailgate are FastHttpUsers unless it says otherwise.",
            "tailgate leaves the standard library unpatched.",
        ),
    )
