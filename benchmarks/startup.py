"""How long it takes until load is sent, and until the process is gone after the last answer."""

from __future__ import annotations

import json
import statistics
import time
from pathlib import Path

from benchmarks.processes import (
    FOLDER,
    locust_command,
    own_turn,
    pytest_command,
    run_quietly,
    static_server,
    tailgate_command,
    watch_generator,
)
from benchmarks.values import Figure, Table

RUN_S = 1.0
SUITE_TEST = "perf_tests/test_peak.py"
SUITE_SCALE = 0.25
"""The suite's test is made this much shorter: only what comes before and after the load is of interest here."""
MOST_START_UP_S = 4.0
_PARTS = {
    "interpreter, pytest and its plugins": ("started", "session_began"),
    "engine with Locust, imported": ("session_began", "engine_imported"),
    "collection": ("engine_imported", "collected"),
    "stack and other fixtures, ready": ("collected", "test_began"),
    "test, until its first request": ("test_began", "first_request"),
}
_END_PARTS = {
    "users stopped, run judged and test ended": ("last_answer", "test_ended"),
    "fixtures and stack gone, reports written": ("test_ended", "unconfigured"),
    "interpreter ended": ("unconfigured", "ended"),
}


def measure(rounds: int) -> list[Table]:
    """Measure a minimal load test, the plugin in a session without one, and this project's own suite."""
    return [_minimal(rounds), _plugin_alone(3 * rounds), _suite(min(rounds, 3))]


def _minimal(rounds: int) -> Table:
    ours: list[tuple[float, float]] = []
    theirs: list[tuple[float, float]] = []
    with static_server() as server:
        sides = [(ours, tailgate_command()), (theirs, locust_command(server.url, RUN_S))]
        for number in range(rounds):
            for results, command in sides if number % 2 == 0 else reversed(sides):
                watched = watch_generator(command, server, RUN_S)
                results.append((watched.start_up_s, watched.teardown_s))
    our_starts, our_ends = zip(*ours, strict=True)
    their_starts, their_ends = zip(*theirs, strict=True)
    return Table(
        title=f"A minimal load of {RUN_S:g} s against a server that runs already, {rounds} rounds",
        theirs="locust --headless",
        figures=(
            Figure(what="start to the first answer", unit="s", ours=our_starts, theirs=their_starts),
            Figure(what="last answer to the end", unit="s", ours=our_ends, theirs=their_ends),
        ),
        notes=("tailgate: pytest with one load test.",),
    )


def _plugin_alone(rounds: int) -> Table:
    sides: dict[str, tuple[list[float], list[str]]] = {
        "with": ([], ["-p", "tailgate.plugin"]),
        "without": ([], ["-p", "no:tailgate"]),
    }
    for number in range(rounds):
        for times_ms, options in list(sides.values())[:: 1 if number % 2 == 0 else -1]:
            began_s = time.perf_counter()
            run_quietly([*pytest_command(), *options, "test_nothing.py"])
            times_ms.append(1000 * (time.perf_counter() - began_s))
    with_ms, without_ms = (tuple(times_ms) for times_ms, _ in sides.values())
    difference_ms = statistics.median(with_ms) - statistics.median(without_ms)
    return Table(
        title=f"pytest with one test that does nothing and no load test, {rounds} rounds",
        ours="with tailgate",
        theirs="without",
        figures=(Figure(what="whole session", unit="ms", ours=with_ms, theirs=without_ms),),
        notes=(f"The plugin adds {difference_ms:.0f} ms (difference of the medians).",),
    )


def _suite(rounds: int) -> Table:
    seen = [_suite_moments() for _ in range(rounds)]

    def between(first: str, last: str) -> tuple[float, ...]:
        return tuple(moments[last] - moments[first] for moments in seen)

    return Table(
        title=f"pytest {SUITE_TEST} with its embedded stack, {rounds} rounds",
        figures=(
            Figure(
                what="start to the first request",
                unit="s",
                ours=between("started", "first_request"),
                most=MOST_START_UP_S,
            ),
            *(Figure(what=f"- {part}", unit="s", ours=between(*ends)) for part, ends in _PARTS.items()),
            Figure(what="last answer to the end", unit="s", ours=between("last_answer", "ended")),
            *(Figure(what=f"- {part}", unit="s", ours=between(*ends)) for part, ends in _END_PARTS.items()),
        ),
        notes=("The stack: PostgreSQL, two instances of product-service, nginx.",),
    )


def _suite_moments() -> dict[str, float]:
    """Run one load test of the suite; a verdict on so short a run is of no interest, its moments are."""
    options = ["-p", "tailgate.plugin", "-p", "benchmarks.stopwatch", "-p", "no:cacheprovider"]
    command = [*pytest_command(), *options, f"--perf-time-scale={SUITE_SCALE}", SUITE_TEST]
    with own_turn() as settings:
        path = Path(settings["TMPDIR"]) / "moments.json"
        started_s = time.time()
        run_quietly(
            command,
            cwd=FOLDER.parent,
            settings={**settings, "BENCHMARK_MOMENTS": str(path)},
            is_allowed=_is_verdict,
        )
        ended_s = time.time()
        moments: dict[str, float] = json.loads(path.read_text(encoding="utf-8"))
    return {"started": started_s, "ended": ended_s, **moments}


def _is_verdict(code: int) -> bool:
    return code in {0, 1}
