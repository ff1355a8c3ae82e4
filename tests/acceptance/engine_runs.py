"""The shortest way to put load on something, without pytest's part of it."""

from __future__ import annotations

from collections.abc import Callable

from locust import FastHttpUser, User, constant

from tailgate import Arrivals, Stage
from tailgate.engine import LiveDuet, make_plan, run_duet, run_load
from tailgate.run import RunResult


class Watch:
    """A monitor that notes what it is told; ``cut_at_s`` ends the run then, ``last_stage`` after that stage."""

    def __init__(self, cut_at_s: float = float("inf"), last_stage: str = "") -> None:
        self.cut_at_s = cut_at_s
        self.last_stage = last_stage
        self.looks = []
        self.began = []
        self.ended = []

    def on_stage_begin(self, stage: str) -> None:
        self.began.append(stage)

    def on_progress(self, live) -> str:
        self.looks.append((live.stage, live.users, live.elapsed_s, live.left_s))
        return "seen enough" if live.elapsed_s >= self.cut_at_s else ""

    def on_stage_end(self, stage: str, so_far: RunResult) -> bool:
        self.ended.append((stage, so_far))
        return stage != self.last_stage


def visitor(path: str, *, base: type[User] = FastHttpUser, wait_s: float = 0.02, **attributes) -> type[User]:
    """Return users that get ``path`` again and again."""
    return type(
        "Visitor",
        (base,),
        {"wait_time": constant(wait_s), "tasks": [lambda user: user.client.get(path)], **attributes},
    )


def hold(users: int, duration_s: float) -> tuple[Stage, ...]:
    return (Stage(name="hold", duration_s=duration_s, users=users),)


def run(users, host: str, shape=None, *, monitor: Watch | None = None, warmup_s: float = 0.0, **options) -> RunResult:
    """Run ``users`` against ``host``, by default two of them for half a second."""
    plan = make_plan(users, shape=shape or hold(2, 0.5), host=host, **{"stop_timeout_s": 1.0, **options})
    return run_load(plan, test="a test", scenario="a scenario", warmup_s=warmup_s, monitor=monitor or Watch())


class WatchBoth:
    """A monitor of a duet that notes what it is shown; ``then`` is called at each look."""

    def __init__(self, then: Callable[[LiveDuet], object] = lambda live: None) -> None:
        self.looks: list[LiveDuet] = []
        self._then = then

    def on_progress(self, live: LiveDuet) -> None:
        self.looks.append(live)
        self._then(live)


def run_both(
    users, servers, rate_rps=100.0, duration_s=1.0, *, seed=1, shape=None, monitor=None, **options
) -> tuple[RunResult, RunResult]:
    """Run ``users`` against two servers at once, baseline and candidate."""
    base, candidate = (getattr(server, "url", server) for server in servers)
    shape = shape or Arrivals(rate_rps=rate_rps, duration_s=duration_s)
    plan = make_plan(users, shape=shape, host=base, **{"stop_timeout_s": 1.0, **options})
    monitor = monitor or WatchBoth()
    hosts = (base, candidate)
    return run_duet(plan, hosts, seed=seed, test="a test", scenario="a scenario", warmup_s=0.0, monitor=monitor)
