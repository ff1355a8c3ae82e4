"""What a request costs each generator, and how many it sends: tailgate beside wrk, hey, k6 and Locust's users."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product

from benchmarks.contenders import OTHERS, TAILGATE, WORKERS, Ask, Contender, installed
from benchmarks.processes import FOLDER, BenchmarkError, say, watch_told
from benchmarks.values import Contest, Figure, Row, Table
from tailgate.stack import Nginx, Process, Sandbox, http_answers, wait_all_ready

METHODS = ("GET", "POST")
USERS = (1, 10, 50, 200)
GOAL_USERS = (10, 50)
"""Where the goals beside k6 hold."""
RUN_S = 5
SETTLE_S = 1.2
"""After the first answer; by then Locust has started all users, which it does in one second."""
TAIL_S = 0.5
COST_GOALS = {"k6": 0.5, "fast": 0.3}
"""At most so many times their processor time a request."""
RATE_GOALS = {"k6": 1.3}
"""At least so many times their requests/s."""
_GAVE_UP = 499

Seen = Mapping[str, tuple["Steady", ...]]
"""By contender, one a round."""


@dataclass(frozen=True, slots=True)
class Steady:
    """What a generator did while it only sent."""

    cost_us: float
    """Processor time a request."""
    rate_rps: float


class Proxy(Nginx):
    """The stack's nginx, asked when it answered what."""

    def answers_since(self, position: int) -> tuple[float, ...]:
        """Return when it answered each request after ``position``, in order; the wall clock in seconds.

        Raises:
            BenchmarkError: It did not answer every one with 200, those aside that a generator gave up at its end.
        """
        entries = [entry for entry in self.access_log_entries(position) if entry.status != _GAVE_UP]
        if wrong := sorted({entry.status for entry in entries if entry.status != 200}):
            raise BenchmarkError(f"nginx answered with {', '.join(map(str, wrong))}, not with 200 alone")
        return tuple(sorted(entry.at_s for entry in entries))


def measure(rounds: int) -> list[Table | Contest]:
    """Run all that are installed in turns, for each method and number of users."""
    contenders = installed({"tailgate": TAILGATE, "workers": WORKERS, **OTHERS})
    seen = {(method, users): _play(contenders, method, users, rounds) for method, users in product(METHODS, USERS)}
    contests = [
        _contest(contenders, {users: seen[method, users] for users in USERS}, method, rounds, is_cost=is_cost)
        for method, is_cost in product(METHODS, (True, False))
    ]
    return [*contests, Table(title="Goals", theirs="the other", figures=_goals(contenders, seen))]


def _play(contenders: Mapping[str, Contender], method: str, users: int, rounds: int) -> Seen:
    """Run each once a round; the order is reversed in every second one."""
    say(f"{method}, {users} users …")
    seen: dict[str, list[Steady]] = {name: [] for name in contenders}
    with _service() as proxy:
        ask = Ask(url=proxy.url, path="/", users=users, run_s=RUN_S, method=method)
        for number in range(rounds):
            for name in list(contenders)[:: 1 if number % 2 == 0 else -1]:
                watched = watch_told(contenders[name].command(ask), proxy, ask.settings)
                seen[name].append(Steady(*watched.steady(settle_s=SETTLE_S, tail_s=TAIL_S)))
    return {name: tuple(results) for name, results in seen.items()}


def _contest(
    contenders: Mapping[str, Contender], seen: Mapping[int, Seen], method: str, rounds: int, *, is_cost: bool
) -> Contest:
    what = "Processor time a request" if is_cost else "Requests"
    return Contest(
        title=f"{what}: {method} of JSON by users without wait time, nginx before two uvicorn processes, "
        f"{rounds} rounds of {RUN_S} s",
        names=tuple(one.name for one in contenders.values()),
        rows=tuple(
            Row(
                what=_users(users),
                unit="µs" if is_cost else "/s",
                values=tuple(_values(results[name], is_cost=is_cost) for name in contenders),
            )
            for users, results in seen.items()
        ),
        notes=(
            "Of the generator's processes, over the requests that nginx answered meanwhile, from",
            f"{SETTLE_S:g} s after the first to {TAIL_S:g} s before the last answer, so without start-up and teardown.",
        ),
    )


def _goals(contenders: Mapping[str, Contender], seen: Mapping[tuple[str, int], Seen]) -> tuple[Figure, ...]:
    return tuple(
        Figure(
            what=f"{method}, {_users(users)}, {contenders[name].name}",
            unit="µs" if is_cost else "/s",
            ours=_values(results["tailgate"], is_cost=is_cost),
            theirs=_values(results[name], is_cost=is_cost),
            most_ratio=ratio if is_cost else None,
            least_ratio=None if is_cost else ratio,
        )
        for is_cost, goals in ((True, COST_GOALS), (False, RATE_GOALS))
        for name, ratio in goals.items()
        for (method, users), results in seen.items()
        if name in contenders and (users in GOAL_USERS or name != "k6")
    )


def _values(results: tuple[Steady, ...], *, is_cost: bool) -> tuple[float, ...]:
    return tuple(each.cost_us if is_cost else each.rate_rps for each in results)


def _users(users: int) -> str:
    return f"{users} users" if users > 1 else "1 user"


@contextmanager
def _service() -> Iterator[Proxy]:
    """Start nginx before two instances of a service that does nothing."""
    with Sandbox() as sandbox:  # a new one for each contest, or else its log would outgrow small disks
        services = [_instance(sandbox, f"service-{number}").start() for number in (1, 2)]
        proxy = Proxy(sandbox, services).start()
        wait_all_ready([*services, proxy])
        yield proxy


def _instance(sandbox: Sandbox, name: str) -> Process:
    port = sandbox.port()
    command = [sys.executable, "-m", "uvicorn", "benchmarks.answering_app:app"]
    options = ["--port", str(port), "--no-access-log", "--log-level", "warning", "--lifespan", "off"]
    ready = http_answers(f"http://127.0.0.1:{port}/")
    return Process(sandbox, name, [*command, *options], cwd=FOLDER.parent, port=port, ready=ready)
