"""What generators report beside the truth: p50, p95 and p99 against nginx's log and against a scripted server's."""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Protocol

import numpy as np

from benchmarks.contenders import OTHERS, TAILGATE, Ask, Contender, installed
from benchmarks.processes import FOLDER, BenchmarkError, own_turn, run_quietly, say
from benchmarks.scripted import AT_ONCE, TOOK
from benchmarks.values import Contest, Figure, Row, Table
from tailgate.stack import Nginx, Process, Sandbox, http_answers, wait_all_ready

RUN_S = 5
SHARES = (0.1, 0.5)
"""Of what tailgate can send."""
SATURATING_USERS = 50
MEDIAN_MS, PROXIED_MEDIAN_MS = 4.0, 40.0
"""Of the answers. nginx's clock ticks in milliseconds, so what it is asked takes longer."""
MEAN_RATIO = 1.13
"""Mean of the delays over their median: exp(0.5 ** 2 / 2)."""
QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
MOST_SHARE, MOST_MS = 0.03, 0.2
"""Goal for the p95: it is off by no more than the greater of both."""


class Truth(Protocol):
    """A server that knows how long its answers took."""

    @property
    def url(self) -> str:
        """Where it is asked."""
        ...

    def took_ms(self) -> np.ndarray:
        """Return how long each answer since the last call took."""
        ...


class ScriptedServer(Process):
    """``benchmarks.scripted`` in a process of its own."""

    def __init__(self, sandbox: Sandbox, name: str, median_ms: float) -> None:
        port = sandbox.port()
        self.url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "benchmarks.scripted", str(port), str(median_ms)]
        super().__init__(sandbox, name, command, cwd=FOLDER.parent, port=port, ready=http_answers(self.url + TOOK))

    def took_ms(self) -> np.ndarray:
        """Return how long each answer since the last call took."""
        with urllib.request.urlopen(self.url + TOOK, timeout=10) as answer:
            return np.array(json.load(answer))


class LoggingProxy(Nginx):
    """The stack's nginx, and what its log says."""

    _since = 0

    def took_ms(self) -> np.ndarray:
        """Return what ``$request_time`` was for each answer since the last call; it counts in whole milliseconds."""
        entries = self.access_log_entries(self._since)
        self._since = self.access_log_position()
        return np.array([1000 * entry.duration_s for entry in entries if entry.status == 200])


@dataclass(frozen=True, slots=True)
class Seen:
    """One run of one generator."""

    reported_ms: tuple[float, float, float]
    true_ms: tuple[float, float, float]
    answers: int


def measure(rounds: int) -> list[Table | Contest]:
    """Let all that are installed ask both servers, at each share of what tailgate can send."""
    contenders = installed({"tailgate": TAILGATE, **OTHERS})
    with _servers() as (scripted, proxy):
        parts = [
            *_measure(contenders, scripted, "a scripted server's truth", MEDIAN_MS, rounds),
            *_measure(contenders, proxy, "nginx's $request_time", PROXIED_MEDIAN_MS, rounds),
        ]
    goals = Table(title="Goals of tailgate", figures=tuple(goal for _, goal in parts))
    return [*(contest for contest, _ in parts), goals]


def _measure(
    contenders: Mapping[str, Contender], server: Truth, what: str, median_ms: float, rounds: int
) -> Iterator[tuple[Contest, Figure]]:
    saturated = _run(TAILGATE, server, Ask(url=server.url, path=AT_ONCE, users=SATURATING_USERS, run_s=RUN_S))
    most_rps = saturated.answers / RUN_S
    for share in SHARES:
        users = max(1, round(share * most_rps * MEAN_RATIO * median_ms / 1000))
        say(f"{what}, {users} users …")
        seen = _play(contenders, server, Ask(url=server.url, path="/", users=users, run_s=RUN_S), rounds)
        contest = Contest(
            title=f"Reported percentiles less {what}, {users} users without wait time: about {100 * share:.0f} % of "
            f"the {most_rps:,.0f} requests/s that tailgate can send it, {rounds} rounds of {RUN_S} s",
            names=tuple(one.name for one in contenders.values()),
            rows=tuple(_row(number, quantile, seen) for number, quantile in enumerate(QUANTILES)),
            notes=("Each beside the truth of its own requests.",),
        )
        yield contest, _goal(what, users, seen)


def _play(contenders: Mapping[str, Contender], server: Truth, ask: Ask, rounds: int) -> dict[str, list[Seen]]:
    """Run each once a round; the order is reversed in every second one."""
    seen: dict[str, list[Seen]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name in list(contenders)[:: 1 if number % 2 == 0 else -1]:
            seen[name].append(_run(contenders[name], server, ask))
    return seen


def _run(contender: Contender, server: Truth, ask: Ask) -> Seen:
    server.took_ms()  # forgets what was before
    with own_turn() as settings:
        reported_ms = contender.read(run_quietly(contender.command(ask), settings={**settings, **ask.settings}))
    took_ms = server.took_ms()
    if not took_ms.size:
        raise BenchmarkError(f"{contender.name}: sent no request to {ask.url}, or none was answered")
    # The definition that tailgate has too: the smallest that so many do not exceed.
    p50_ms, p95_ms, p99_ms = np.quantile(took_ms, list(QUANTILES.values()), method="inverted_cdf")
    return Seen(reported_ms, (float(p50_ms), float(p95_ms), float(p99_ms)), took_ms.size)


def _row(number: int, quantile: str, seen: Mapping[str, list[Seen]]) -> Row:
    return Row(
        what=f"{quantile} of {_true_ms(number, seen):.2f} ms",
        unit="ms",
        values=tuple(_off_ms(number, results) for results in seen.values()),
    )


def _goal(what: str, users: int, seen: Mapping[str, list[Seen]]) -> Figure:
    p95 = list(QUANTILES).index("p95")
    return Figure(
        what=f"p95 less {what}, {users} users",
        unit="ms",
        ours=_off_ms(p95, seen["tailgate"]),
        most=round(max(MOST_MS, MOST_SHARE * _true_ms(p95, seen)), 3),
    )


def _true_ms(number: int, seen: Mapping[str, list[Seen]]) -> float:
    return median(one.true_ms[number] for one in seen["tailgate"])


def _off_ms(number: int, results: list[Seen]) -> tuple[float, ...]:
    return tuple(one.reported_ms[number] - one.true_ms[number] for one in results)


@contextmanager
def _servers() -> Iterator[tuple[ScriptedServer, LoggingProxy]]:
    with Sandbox() as sandbox:
        scripted = ScriptedServer(sandbox, "scripted", MEDIAN_MS).start()
        behind = ScriptedServer(sandbox, "behind", PROXIED_MEDIAN_MS).start()
        proxy = LoggingProxy(sandbox, [behind], health_path=AT_ONCE).start()
        wait_all_ready([scripted, behind, proxy])
        yield scripted, proxy
