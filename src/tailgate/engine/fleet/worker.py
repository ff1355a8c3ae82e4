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
    greet,
    message_of,
)
from tailgate.errors import BadInput

MASTER_SILENT_AFTER_S = 15.0
"""A master that answered no heartbeat for so long is gone; its workers load nobody on their own."""
REPORT_EVERY_S = 0.25
_TICK_S = 0.05
_LEAVE = "leave"
_LAST_WORD_PATIENCE_S = 10.0
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

    def serve(self) -> int:
        """Play until told to end; return the exit code."""
        while True:
            _say(f"worker {self._name}: waiting for a run at {self._address[0]}:{self._address[1]}")
            reason, is_leaving = _Session(self._connect(), self._name).play()
            if reason:
                _say(f"worker {self._name}: {reason}")
            if self._is_once or is_leaving or reason:
                return _REFUSED if reason else 0

    def _connect(self) -> WorkerRunner:
        while True:
            environment = Environment(events=Events(), user_classes=[])
            try:
                return environment.create_worker_runner(*self._address)
            except ConnectionError:  # After five minutes Locust has had enough.
                continue


class _Session:
    """One run, from the greeting to the farewell."""

    def __init__(self, runner: WorkerRunner, name: str) -> None:
        self._runner = runner
        self._name = name
        self._inbox = Queue()
        """Messages, as kind and data."""
        self._part: Part | None = None
        self._reporting: gevent.Greenlet | None = None
        self._flushes = 0
        self._left = ""
        for kind in (PLAN, BEGIN, LEVEL, FLUSH, STOP, BYE):
            runner.register_message(kind, self._put)
        runner.register_message(PING, self._answer)

    def play(self) -> tuple[str, bool]:
        """Do what the master says until it lets us go; return why it did not want us, and whether we are to end."""
        signals = [gevent.signal_handler(number, self._leave, number) for number in (signal.SIGINT, signal.SIGTERM)]
        watching = gevent.spawn(self._watch_master)
        self._runner.send_message(HELLO, message_of(greet(self._name, socket.gethostname(), os.getpid())))
        try:
            while True:
                kind, data = self._inbox.get()
                if kind in {BYE, _LEAVE}:
                    self._finish(str(data.get("left", "")))
                    return str(data.get("reason", "")), kind == _LEAVE
                self._obey(kind, data)
        finally:
            watching.kill()
            for handler in signals:
                handler.cancel()
            self._disconnect()

    def _obey(self, kind: str, data: Mapping[str, Any]) -> None:
        part = self._part
        if kind == PLAN:
            self._prepare(Orders(**data))
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
        self._left = left
        self._part.stop()
        if self._reporting is not None:
            self._reporting.kill()
        self._report(is_last=True)

    def _report_on_and_on(self) -> None:
        assert self._part is not None
        at_s = time.monotonic()
        while True:
            self._part.note_users()
            if time.monotonic() >= at_s:
                at_s = time.monotonic() + REPORT_EVERY_S
                self._report()
            gevent.sleep(_TICK_S)

    def _report(self, *, is_last: bool = False) -> None:
        if self._part is not None:
            report = self._part.report(is_last=is_last, left=self._left, answers_flush=self._flushes)
            self._runner.send_message(REPORT, message_of(report))

    def _put(self, environment: Environment, msg: Any) -> None:
        del environment
        self._inbox.put((msg.type, msg.data or {}))

    def _answer(self, environment: Environment, msg: Any) -> None:
        """Tell the time, at once."""
        del environment
        self._runner.send_message(PONG, {"asked": msg.data["asked"], "told": time.time()})

    def _leave(self, number: int) -> None:
        self._inbox.put((_LEAVE, {"left": signal.Signals(number).name}))

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
        context = self._runner.client.socket.context
        self._runner.client.close(linger=1000)
        context.term()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - the log of a worker
