"""The faults that can be switched on, so that a gate can be shown to notice them."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from product_service.slowdown import Slowdown

EXEMPT_PATHS = frozenset({"/health", "/internal/requests"})
"""Never made slower or faulty: the gate is to notice a fault in what users ask for. A failing health check would
end the run before it, and the counts are what the gate is compared with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What is done to every request; all off by default."""

    delay_ms: float = 0.0
    """Waiting, which leaves the processor free."""
    cpu_ms: float = 0.0
    """Processor time, during which the instance does nothing else."""
    error_ratio: float = 0.0
    """Share of requests in [0, 1], picked at random, that are answered 500 and not handled."""
    stall_every_s: float = 0.0
    """A stall begins every so many seconds after the start; 0 is never."""
    stall_s: float = 0.0
    """Length of each stall, in which nothing is answered. As long as ``stall_every_s`` or longer is a hang."""
    slowdown: float = 0.0
    """Ratio by which more processor time is used, and more waited, than without."""

    @property
    def is_any(self) -> bool:
        """Whether anything is to be done at all."""
        return bool(self.delay_ms or self.cpu_ms or self.error_ratio or self.stall_every_s or self.slowdown)

    def stall_left_s(self, uptime_s: float) -> float:
        """Return for how many seconds the stall that is on at ``uptime_s`` will last; 0.0 when none is on."""
        if not self.stall_every_s or uptime_s < self.stall_every_s:
            return 0.0
        return max(0.0, self.stall_s - uptime_s % self.stall_every_s)


class FaultInjector:
    """ASGI middleware that applies ``Faults`` and then hands the request on.

    A request that is answered 500 here has changed nothing: it was never handled.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        faults: Faults,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._app = app
        self._faults = faults
        self._clock = clock
        self._sleep = sleep
        self._started_s = clock()
        self._slowdown = Slowdown(faults.slowdown) if faults.slowdown else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["path"] in EXEMPT_PATHS:
            await self._app(scope, receive, send)
            return
        if self._faults.delay_ms:
            await self._sleep(self._faults.delay_ms / 1000)
        if self._faults.cpu_ms:
            use_processor(self._faults.cpu_ms)
        # A loop, since the next stall may have begun while this one was waited for.
        while (left_s := self._faults.stall_left_s(self._clock() - self._started_s)) > 0:
            await self._sleep(left_s)
        if random.random() < self._faults.error_ratio:
            await JSONResponse({"detail": "injected error"}, status_code=500)(scope, receive, send)
            return
        if self._slowdown is not None:
            send = self._slowdown.before_answer(send)
        await self._app(scope, receive, send)


def use_processor(cpu_ms: float) -> None:
    """Use ``cpu_ms`` milliseconds of processor time of this thread, and let nothing else of it run meanwhile."""
    end_s = time.thread_time() + cpu_ms / 1000
    while time.thread_time() < end_s:
        pass
