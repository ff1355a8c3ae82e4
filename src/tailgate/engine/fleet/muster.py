"""Get the workers of a run ready: wait for them, compare clocks, hand out the plan."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence

from tailgate.engine.fleet.clocks import ROUNDS, estimate_offset
from tailgate.engine.fleet.master import Master, Seat
from tailgate.engine.fleet.wire import BYE, PING, PLAN, Greeting, Orders, greet, message_of
from tailgate.engine.fleet.workers import Workers
from tailgate.engine.plan import LoadPlan
from tailgate.engine.shares import Share
from tailgate.errors import BadInput, EngineError

READY_PATIENCE_S = 90.0
"""How long workers may take to import the users' classes, and to let the first users of an open run start."""
PONG_PATIENCE_S = 2.0
_LOOK_S = 0.1
_SAY_S = 2.0


class Muster:
    """Gets the workers ready, for as long as nobody interrupts."""

    def __init__(self, master: Master, workers: Workers, *, is_interrupted: Callable[[], bool]) -> None:
        self._master = master
        self._workers = workers
        self._is_interrupted = is_interrupted

    def hold(self, plan: LoadPlan, *, first_number: int, seed: int) -> bool:
        """Return whether all workers are ready to begin; False if somebody interrupted.

        Raises:
            BadInput: Workers did not come, are of another version, or cannot do what the plan asks for.
            EngineError: A worker that we started has ended.
        """
        self._workers.start(self._master.port)
        return self._gather() and self._compare_clocks() and self._hand_out(plan, first_number, seed)

    @property
    def _seats(self) -> Sequence[Seat]:
        return tuple(self._master.seats.values())

    def _wait(
        self, is_done: Callable[[], bool], timeout_s: float, waiting: Callable[[float], None] | None = None
    ) -> bool:
        """Wait until ``is_done``; return whether it is. ``waiting`` is told now and then how long it may go on."""
        deadline_s = time.monotonic() + timeout_s
        say_at_s = time.monotonic() + _SAY_S
        while not is_done():
            now_s = time.monotonic()
            if self._is_interrupted() or now_s > deadline_s:
                return False
            self._check_started()
            if waiting is not None and now_s >= say_at_s:
                waiting(deadline_s - now_s)
                say_at_s = now_s + _SAY_S
            self._master.news.clear()
            self._master.news.wait(_LOOK_S)
        return True

    def _check_started(self) -> None:
        """Refuse to wait for what has ended, or was not understood."""
        if self._master.error is not None:
            raise EngineError(f"a message of a worker was not understood: {self._master.error}") from self._master.error
        if ended := self._workers.ended():
            (name, how), *_ = ended.items()
            raise EngineError(f"worker {name} {how} before the run began\n{self._workers.log_of(name)}".rstrip())

    def _gather(self) -> bool:
        count, timeout_s = self._workers.count, self._workers.patience_s
        own = greet("pytest", socket.gethostname(), os.getpid())
        if self._wait(lambda: len(self._seats) >= count or self._problems(own) != [], timeout_s, self._say_who_came):
            if problems := self._problems(own):
                self._master.tell(BYE, {"reason": problems[0]})
                raise BadInput(problems)
            self._master.close_doors(count)
            return True
        if not self._is_interrupted():
            raise BadInput([self._too_few(timeout_s)])
        return False

    def _problems(self, own: Greeting) -> list[str]:
        return [problem for seat in self._seats if (problem := seat.greeting.problem(own))]

    def _say_who_came(self, left_s: float) -> None:
        self._workers.say(f"waiting for workers at {self._where}: {self._who_came()}; {left_s:.0f} s left")

    def _too_few(self, timeout_s: float) -> str:
        host, _ = self._workers.bind
        strangers = len(self._master.clients) - len(self._seats)
        hint = f"; {strangers} of plain Locust cannot be used" if strangers > 0 else ""
        return (
            f"workers: {self._who_came()} to {self._where} within {timeout_s:g} s{hint}; start each by "
            f"tailgate worker --master {'HOST' if host in {'0.0.0.0', '::', '*'} else host}:{self._master.port}"  # noqa: S104
        )

    @property
    def _where(self) -> str:
        return f"{self._workers.bind[0]}:{self._master.port}"

    def _who_came(self) -> str:
        names = ", ".join(f"{seat.name} on {seat.greeting.host}" for seat in self._seats)
        return f"{len(self._seats)} of {self._workers.count} came{f' ({names})' if names else ''}"

    def _compare_clocks(self) -> bool:
        if not all(self._exchange(number) for number in range(1, ROUNDS + 1)):
            return False
        for seat in self._seats:
            seat.clock = estimate_offset(seat.exchanges)
        return True

    def _exchange(self, number: int) -> bool:
        """Ask everybody for the time, and wait for the answers."""
        self._master.tell(PING, {"asked": time.time()})
        if self._wait(lambda: all(len(seat.exchanges) >= number for seat in self._seats), PONG_PATIENCE_S):
            return True
        if not self._is_interrupted():
            silent = ", ".join(seat.name for seat in self._seats if len(seat.exchanges) < number)
            raise BadInput([f"workers: {silent} did not answer within {PONG_PATIENCE_S:g} s; overloaded, or cut off?"])
        return False

    def _hand_out(self, plan: LoadPlan, first_number: int, seed: int) -> bool:
        seats = self._seats
        for index, seat in enumerate(seats):
            share = Share(index=index, count=len(seats))
            orders = Orders.of(plan, share, first_number=first_number, seed=seed, clock_offset_s=seat.clock.offset_s)
            self._master.send_message(PLAN, message_of(orders), client_id=seat.client_id)
        is_ready = self._wait(lambda: all(seat.is_ready for seat in seats), READY_PATIENCE_S)
        if problems := _joined({seat.name: seat.problems for seat in seats}):
            raise BadInput(problems)
        if not is_ready and not self._is_interrupted():
            slow = ", ".join(seat.name for seat in seats if not seat.is_ready)
            raise BadInput([f"workers: {slow} was not ready within {READY_PATIENCE_S:g} s of being given the plan"])
        return is_ready


def _joined(problems_by_worker: Mapping[str, Sequence[str]]) -> list[str]:
    """Return each problem once, with the workers that have it."""
    workers: dict[str, list[str]] = {}
    for name, problems in problems_by_worker.items():
        for problem in problems:
            workers.setdefault(problem, []).append(name)
    return [f"{problem} (worker {', '.join(names)})" for problem, names in workers.items()]
