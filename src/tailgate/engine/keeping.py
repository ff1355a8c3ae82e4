"""End a piece of what is recorded every few seconds: for histograms, and for whoever keeps it on disk."""

from __future__ import annotations

from collections.abc import Callable

import gevent

SEAL_EVERY_S = 2.0
"""At most so long, and the time of a write, is what a process that dies has not yet handed over."""


class Keeper:
    """Calls a function again and again while a run goes on, also while its users start and stop."""

    def __init__(self, seal: Callable[[], None]) -> None:
        """Call ``seal``, which must not block, every two seconds."""
        self._seal = seal
        self._sealing: gevent.Greenlet | None = None

    def start(self) -> None:
        """Begin."""
        self._sealing = gevent.spawn(self._run)

    def stop(self) -> None:
        """End, with a last call; a second one changes nothing.

        Raises:
            Exception: What the function raised, which ended the calls.
        """
        sealing, self._sealing = self._sealing, None
        if sealing is None:
            return
        sealing.kill()
        sealing.get()
        self._seal()

    def _run(self) -> None:
        while True:
            gevent.sleep(SEAL_EVERY_S)
            self._seal()
