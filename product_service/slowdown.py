"""A build that is slower by a ratio, as an ordinary regression is: more processor time, and more waiting."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from starlette.types import Message, Send

TIMER_GRAIN_S = 0.001
"""uvloop counts its timers in whole milliseconds; what is shorter is waited for in a sleep that blocks."""


class Slowdown:
    """Has requests use and wait for ``ratio`` more than they did by themselves, before their answers begin.

    One thread works on many requests by turns, so what a single one has used cannot be told. What all of them have used
    is known: each pays for what the process has used since the one before it paid. What a request has waited for is its
    duration without the processor time that the process used meanwhile. Nothing can be paid to the microsecond, so what
    was too much is left off the next time: the sums are exact, single requests are not.
    """

    def __init__(
        self,
        ratio: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        cpu_clock: Callable[[], float] = time.process_time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._ratio = ratio
        self._clock = clock
        self._cpu_clock = cpu_clock
        self._sleep = sleep
        self._paid_until_s = cpu_clock()
        self._owed_cpu_s = 0.0
        self._owed_wait_s = 0.0

    def before_answer(self, send: Send) -> Send:
        """Return what sends the answer of a request that begins now, and pays before."""
        began_s, began_cpu_s = self._clock(), self._cpu_clock()

        async def send_later(message: Message) -> None:
            if message["type"] == "http.response.start":
                used_s = self._cpu_clock() - began_cpu_s
                self._owed_wait_s += self._ratio * max(0.0, self._clock() - began_s - used_s)
                await self._wait_long()
                self._pay()
            await send(message)

        return send_later

    async def _wait_long(self) -> None:
        """Wait for all but the last millisecond that is owed; others go on meanwhile, and must not wait for it too."""
        if self._owed_wait_s > TIMER_GRAIN_S:
            owed_s, self._owed_wait_s = self._owed_wait_s, 0.0
            start_s = self._clock()
            await asyncio.sleep(owed_s - TIMER_GRAIN_S)
            self._owed_wait_s += owed_s - (self._clock() - start_s)

    def _pay(self) -> None:
        """Wait for what is still owed, and use the processor; what waiting used of it is paid as well."""
        start_cpu_s = self._cpu_clock()
        self._owed_cpu_s += self._ratio * (start_cpu_s - self._paid_until_s)
        if self._owed_wait_s > 0:
            start_s = self._clock()
            self._sleep(self._owed_wait_s)
            self._owed_wait_s -= self._clock() - start_s - (self._cpu_clock() - start_cpu_s)
        while (now_cpu_s := self._cpu_clock()) < start_cpu_s + self._owed_cpu_s:
            pass
        self._owed_cpu_s -= now_cpu_s - start_cpu_s
        self._paid_until_s = now_cpu_s
