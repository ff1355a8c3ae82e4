"""Turn signals and a blocked event loop into an orderly end of the run."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType
from typing import Any, Self

import gevent

from tailgate.engine.users import LoopBlocked

_NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}
BLOCKED_AFTER_S = 30.0
"""An event loop that did not turn for this long is taken for blocked."""


class Interrupts:
    """Holds SIGINT and SIGTERM back while a run lasts: the first ends the run, the second does what it always did.

    Outside the main thread, where Python delivers no signals, it does nothing.
    """

    def __init__(self) -> None:
        self.seen = ""
        """Name of the signal that came, empty before."""
        self._before: dict[int, Any] = {}
        self._turned_at = time.monotonic()
        self._is_blocked = False
        self._over = threading.Event()
        self._watchdog = threading.Thread(target=self._watch, name="tailgate-watchdog", daemon=True)

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in _NAMES:
                self._before[number] = signal.signal(number, self._on_signal)
            self._turner = gevent.spawn(self._turn)
            self._watchdog.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._watchdog.ident is not None:  # It was started; by now it may have ended.
            self._turner.kill()
            self._watchdog.join()  # Before the handlers go: its signal must not meet somebody else's.
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self._is_blocked:
            self._is_blocked = False
            self._turned_at = time.monotonic()
            if self._over.is_set():
                return
            raise LoopBlocked(f"blocked the event loop for more than {BLOCKED_AFTER_S:g} s; users must not block")
        if self.seen:
            raise KeyboardInterrupt
        self.seen = _NAMES[signal.Signals(number)]

    def _turn(self) -> None:
        while True:
            self._turned_at = time.monotonic()
            gevent.sleep(BLOCKED_AFTER_S / 10)

    def _watch(self) -> None:
        while not self._over.wait(BLOCKED_AFTER_S / 10):
            if time.monotonic() - self._turned_at > BLOCKED_AFTER_S and not self._is_blocked:
                # A real signal, because it also ends a system call that blocks.
                self._is_blocked = True
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
