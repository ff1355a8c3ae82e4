"""Locust's master, as this engine uses it: it carries messages and knows who is there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from gevent.event import Event
from locust.env import Environment
from locust.exception import RPCError
from locust.runners import MasterRunner

from tailgate.engine.fleet.clocks import Exchange, Offset
from tailgate.engine.fleet.wire import BYE, HELLO, PONG, READY, REPORT, Greeting, Report, hang_up
from tailgate.errors import BadInput


@dataclass(slots=True)
class Seat:
    """One worker, as the master knows it."""

    client_id: str
    greeting: Greeting
    exchanges: list[Exchange] = field(default_factory=list)
    clock: Offset = field(default_factory=lambda: Offset(0.0, 0.0))
    is_ready: bool = False
    problems: tuple[str, ...] = ()
    """Why it cannot begin."""
    keys: list[tuple[str, str]] = field(default_factory=list)
    """Of the requests that it reported."""
    last: Report = field(default_factory=Report)
    """Its last report, without the samples."""
    received: int = 0
    """How many of its samples came here."""
    silent_s: float = 0.0
    """How long nothing was heard of it."""
    lost: str = ""
    """Why nothing more will be heard of it; empty if something may."""

    @property
    def name(self) -> str:
        """What reports call it."""
        return self.greeting.name

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return bool(self.lost) or self.last.is_last


class Master(MasterRunner):
    """Locust's master, but it moves no users: whoever owns it sends levels and reads reports."""

    def __init__(
        self, environment: Environment, host: str, port: int, on_report: Callable[[Seat, Report], None]
    ) -> None:
        """Listen on ``host:port``.

        Raises:
            BadInput: That cannot be done.
        """
        with self._explained(host, port):
            super().__init__(environment, host, port)
        self.seats: dict[str, Seat] = {}
        """Who is here."""
        self.late: list[Greeting] = []
        """Who came when nobody was wanted any more."""
        self.news = Event()
        """Set whenever something was heard."""
        self._is_open = True
        self.error: Exception | None = None
        """What went wrong with a message; Locust would only log it."""
        self._on_report = on_report
        for kind, listener in {
            HELLO: self._on_hello,
            PONG: self._on_pong,
            READY: self._on_ready,
            REPORT: self._on_seat_report,
        }.items():
            self.register_message(kind, self._guarded(listener))

    @property
    def port(self) -> int:
        """Where workers find it."""
        return int(self.server.port)

    def tell(self, kind: str, data: Mapping[str, Any] | None = None) -> None:
        """Send a message to everybody who has a seat and was not lost."""
        for seat in self.seats.values():
            if not seat.lost:
                self.send_message(kind, dict(data or {}), client_id=seat.client_id)

    def dismiss(self) -> None:
        """Let everybody go, those without a seat as well."""
        self.send_message(BYE, {"reason": ""})

    def close_doors(self, count: int) -> None:
        """Keep the first ``count`` who came, in the order of their names; who comes later may wait for the next run."""
        first = list(self.seats.items())[:count]
        self.late += [seat.greeting for seat in list(self.seats.values())[count:]]
        self.seats = dict(sorted(first, key=lambda item: (len(item[1].name), item[1].name)))
        self._is_open = False

    def heartbeat_worker(self) -> None:  # type: ignore[override] # ends at once, where Locust's goes on for ever
        """Judge nobody by heartbeats: reports come four times as often."""

    def check_stopped(self) -> None:
        """Take nobody's state for the end of the run."""

    def quit(self) -> None:
        """End it without waiting: all reports are here."""
        try:
            self.stop(send_stop_to_client=False)
        finally:
            self.greenlet.kill(block=True)
            hang_up(self.server)

    def _guarded(self, listener: Callable[[str, Any], None]) -> Callable[..., None]:
        def listen(environment: Environment, msg: Any) -> None:
            del environment
            try:
                listener(msg.node_id, msg.data)
            except Exception as error:  # noqa: BLE001 - raised where the run is driven
                self.error = self.error or error
            self.news.set()

        return listen

    def _on_hello(self, client_id: str, data: Mapping[str, Any]) -> None:
        greeting = Greeting.read(data)
        if self._is_open:
            self.seats[client_id] = Seat(client_id, greeting)
        else:
            self.late.append(greeting)

    def _on_pong(self, client_id: str, data: Mapping[str, float]) -> None:
        seat = self.seats[client_id]
        seat.exchanges.append(Exchange(data["asked"], data["told"], time.time()))

    def _on_ready(self, client_id: str, data: Mapping[str, Any]) -> None:
        seat = self.seats[client_id]
        seat.problems = tuple(data["problems"])
        seat.is_ready = True

    def _on_seat_report(self, client_id: str, data: Mapping[str, Any]) -> None:
        seat = self.seats[client_id]
        seat.silent_s = 0.0
        if not seat.is_over:
            self._on_report(seat, Report(**data))

    @contextmanager
    def _explained(self, host: str, port: int) -> Iterator[None]:
        """Say what is wrong with an address that cannot be used; Locust ends the process, or says less."""
        try:
            yield
        except (SystemExit, RPCError, OSError) as error:
            self.greenlet.kill(block=False)  # What Locust began before it tried to listen.
            problem = f"--perf-bind: cannot listen on {host}:{port} for workers; give another host or port"
            raise BadInput([problem]) from error
