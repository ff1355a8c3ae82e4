"""A worker process: it connects to a master, plays its share of one run after the other, and says what it measured."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from typing import Any

import gevent
from gevent.queue import Queue
from locust.env import Environment
from locust.event import Events
from locust.runners import WorkerRunner

from tailgate.engine.fleet.part import Part
from tailgate.engine.fleet.wire import (
    BEGIN,
    BYE,
    FLUSH,
    HELLO,
    LEVEL,
    PING,
    PLAN,
    PONG,
    READY,
    REPORT,
    STOP,
    Orders,
    Report,
    greet,
    hang_up,
    message_of,
)
from tailgate.errors import BadInput

MASTER_SILENT_AFTER_S = 15.0
"""A master that answered no heartbeat for so long is gone; its workers load nobody on their own."""
REPORT_EVERY_S = 0.25
_TICK_S = 0.05
_REFUSED = 3


def work(host: str, port: int, *, name: str, is_once: bool) -> int:
    """Serve the masters at an address until told to end, and return the exit code."""
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    worker = Worker(host, port, name=name or f"{socket.gethostname()}:{os.getpid()}", is_once=is_once)
    try:
        return worker.serve()
    except KeyboardInterrupt:
        return 130


class Worker:
    """Serves one master after the other, or the same again: each run has a connection of its own."""

    def __init__(self, host: str, port: int, *, name: str, is_once: bool) -> None:
        self._address = (host, port)
        self._name = name
        self._is_once = is_once
        self._main = gevent.getcurrent()
        self._session: _Session | None = None

    def serve(self) -> int:
        """Play until told to end; return the exit code."""
        for number in (signal.SIGINT, signal.SIGTERM):
            gevent.signal_handler(number, self._leave, signal.Signals(number).name)
        while True:
            _say(f"worker {self._name}: waiting for a run at {self._address[0]}:{self._address[1]}")
            runner = self._connect()
            self._session = session = _Session(runner, self._name)
            session.play()
            self._session = None
            if session.refusal:
                _say(f"worker {self._name}: {session.refusal}")
                return _REFUSED
            if self._is_once or session.is_leaving:
                return 0

    def _connect(self) -> WorkerRunner:
        while True:
            try:
                return WaitingRunner(Environment(events=Events(), user_classes=[]), *self._address)
            except ConnectionError:  # After five minutes Locust has had enough.
                continue

    def _leave(self, signal_name: str) -> None:
        """End as soon as what was measured is told."""
        if self._session is not None:
            self._session.leave(signal_name)
        else:
            gevent.get_hub().loop.run_callback(self._main.throw, SystemExit(0))


class WaitingRunner(WorkerRunner):
    """Locust's worker, but it leaves nothing behind when it gives up before there is a master."""

    def __init__(self, environment: Environment, host: str, port: int) -> None:
        environment.runner = self
        try:
            super().__init__(environment, host, port)
        except ConnectionError:
            self.greenlet.kill(block=True)
            hang_up(self.client, linger_ms=0)
            raise


class _Session:
    """One run, from the greeting to the farewell."""

    def __init__(self, runner: WorkerRunner, name: str) -> None:
        self.refusal = ""
        """Why the master did not want us; empty if it did."""
        self.is_leaving = False
        """Whether we were told to end by somebody else than the master."""
        self._runner = runner
        self._name = name
        self._inbox = Queue()
        """Messages, as kind and data."""
        self._part: Part | None = None
        self._reporting: gevent.Greenlet | None = None
        self._flushes = 0
        for kind in (PLAN, BEGIN, LEVEL, FLUSH, STOP, BYE):
            runner.register_message(kind, self._put)
        runner.register_message(PING, self._answer)

    def play(self) -> None:
        """Do what the master says until it lets us go."""
        watching = gevent.spawn(self._watch_master)
        self._runner.send_message(HELLO, message_of(greet(self._name, socket.gethostname(), os.getpid())))
        try:
            while True:
                kind, data = self._inbox.get()
                if kind == BYE:
                    self.refusal = str(data.get("reason", ""))
                    self._finish(str(data.get("left", "")))
                    return
                self._obey(kind, data)
        finally:
            watching.kill()
            self._disconnect()

    def leave(self, signal_name: str) -> None:
        """Tell what was measured, and go."""
        self.is_leaving = True
        self._inbox.put((BYE, {"left": signal_name}))

    def _obey(self, kind: str, data: Mapping[str, Any]) -> None:
        part = self._part
        if kind == PLAN:
            self._prepare(Orders(**data))
        elif kind == STOP and part is None:
            self._tell(Report(is_last=True))  # It had nothing to do, and is waited for all the same.
        elif part is None or part.is_over:
            return
        elif kind == BEGIN:
            part.begin(data["began"])
        elif kind == LEVEL:
            part.move_to(**data)
        elif kind == FLUSH:
            self._flushes = data["number"]
            self._report()
        elif kind == STOP:
            self._finish("")

    def _prepare(self, orders: Orders) -> None:
        problems: tuple[str, ...] = ()
        try:
            self._part = Part(orders, self._runner)
            self._part.prepare()
        except BadInput as error:
            problems = error.problems
        except Exception as error:
            logging.getLogger(__name__).exception("cannot begin")
            problems = (f"{type(error).__name__}: {error}",)
        else:
            self._reporting = gevent.spawn(self._report_on_and_on)
        self._runner.send_message(READY, {"problems": list(problems)})

    def _finish(self, left: str) -> None:
        """Stop the users and tell the rest; a second call changes nothing."""
        if self._part is None or self._part.is_over:
            return
        self._part.stop()
        if self._reporting is not None:
            self._reporting.kill()
        self._report(is_last=True, left=left)

    def _report_on_and_on(self) -> None:
        assert self._part is not None
        at_s = time.monotonic()
        while True:
            self._part.note_users()
            # Our own stopping is no news, and listeners of it may take their time.
            if not self._part.is_over and (stopped := self._part.stopped):
                self._inbox.put((BYE, {"left": stopped}))
                return
            if time.monotonic() >= at_s:
                at_s = time.monotonic() + REPORT_EVERY_S
                self._report()
            gevent.sleep(_TICK_S)

    def _report(self, *, is_last: bool = False, left: str = "") -> None:
        if self._part is not None:
            self._tell(self._part.report(is_last=is_last, left=left, answers_flush=self._flushes))

    def _tell(self, report: Report) -> None:
        self._runner.send_message(REPORT, message_of(report))

    def _put(self, environment: Environment, msg: Any) -> None:
        del environment
        self._inbox.put((msg.type, msg.data or {}))

    def _answer(self, environment: Environment, msg: Any) -> None:
        """Tell the time, at once."""
        del environment
        self._runner.send_message(PONG, {"asked": msg.data["asked"], "told": time.time()})

    def _watch_master(self) -> None:
        """Let go of a master that answers no more."""
        while True:
            gevent.sleep(1.0)
            heard = self._runner.last_heartbeat_timestamp
            if heard is not None and time.time() - heard > MASTER_SILENT_AFTER_S:
                _say(f"worker {self._name}: the master is gone")
                self._inbox.put((BYE, {"left": "its master was gone"}))
                return

    def _disconnect(self) -> None:
        if self._part is not None:
            self._part.close()
        self._runner.greenlet.kill(block=True)
        hang_up(self._runner.client)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - the log of a worker
