"""Start tasks at a rate, however long answers take: the open model."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from random import Random
from typing import NamedTuple

import gevent

from tailgate.engine.pool import UserPool
from tailgate.model import Stage
from tailgate.shapes import arrival_times

WARM_UP_PATIENCE_S = 30.0
"""How long the first users may take to start before the run begins without them."""
_LOOK_S = 0.1


class Arrival(NamedTuple):
    """One task that will be due."""

    due_s: float
    """Seconds since the run began."""
    arm: int
    """Index of the arm that gets it."""
    class_draw: float
    """From 0 to 1, decides by weight whose task it is."""
    task_draw: float
    """From 0 to 1, decides which task of that class."""


def draw_arrivals(stages: Sequence[Stage], *, seed: int, arms: int = 1) -> Iterator[Arrival]:
    """Yield all arrivals of a run in their order; equal arguments give equal arrivals.

    A coin of as many sides as there are arms decides who gets each. It is independent of the times and of the tasks,
    so the arms have Poisson arrivals of their own, with one mix of tasks.
    """
    # Three sources: one alone, or one seed for all, would tie the tasks and the coin to the gaps between arrivals.
    coin, tasks = Random(f"{seed} arms"), Random(f"{seed} tasks")
    for due_s in arrival_times(stages, Random(seed)):
        yield Arrival(due_s, coin.randrange(arms), tasks.random(), tasks.random())


class Dispatcher:
    """Has a user of a pool do one task each time one is due; each arm has a pool.

    One greenlet starts all tasks, and it waits for nothing but the time of the next: a slow service is asked as often
    as a quick one, and does not hold up what the other arm gets.
    """

    def __init__(self, pools: Sequence[UserPool], arrivals: Iterator[Arrival]) -> None:
        self._pools = pools
        self._arrivals = arrivals
        self._next: list[Arrival] = []
        self._dispatching: gevent.Greenlet | None = None
        self._began_s = math.inf

    def warm_up(self, *, is_interrupted: Callable[[], bool]) -> None:
        """Make the first users of all pools and let them start, before the clock of the run does."""
        for pool in self._pools:
            pool.start_reserve()
        deadline_s = time.perf_counter() + WARM_UP_PATIENCE_S
        for pool in self._pools:
            while pool.is_working and time.perf_counter() < deadline_s and not is_interrupted():
                pool.wait_idle(_LOOK_S)

    def begin(self, began: float, began_s: float) -> None:
        """Have tasks arrive from now on: ``began`` by the wall clock, ``began_s`` by the monotonic one."""
        self._began_s = began_s
        self._dispatching = gevent.spawn(self._dispatch, began)

    def stop(self) -> None:
        """Start no more tasks; a second call changes nothing."""
        if self._dispatching is not None:
            self._dispatching.kill()
            self._dispatching = None
            self._count_missed()

    def _dispatch(self, began: float) -> None:
        for arrival in self._arrivals:
            self._next = [arrival]
            gevent.sleep(max(0.0, arrival.due_s - (time.perf_counter() - self._began_s)))
            self._next = []
            self._pools[arrival.arm].start_task(began + arrival.due_s, arrival.class_draw, arrival.task_draw)

    def _count_missed(self) -> None:
        """Count what was due already when an overloaded dispatcher had to end."""
        ended_s = time.perf_counter() - self._began_s
        for arrival in chain(self._next, self._arrivals):
            if arrival.due_s >= ended_s:
                return
            self._pools[arrival.arm].due += 1
