"""What became of each purchase, as far as its buyer knows."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from locust import events
from locust.runners import MasterRunner, WorkerRunner

_MESSAGE = "journal"


@dataclass(slots=True)
class Journal:
    """Purchases whose answer is not known: still running, lost with a connection, or failed by the server.

    Each purchase carries a key that the service writes into its ledger, so what really happened can be looked up.
    """

    unknown: dict[str, int] = field(default_factory=dict)
    """Units by purchase key."""
    lost: set[str] = field(default_factory=set)
    """Keys of all purchases that were drained; what hung then may be booked later."""

    def begin(self, units: int) -> str:
        """Note a purchase that is about to be sent and return its key."""
        key = str(uuid.uuid4())
        self.unknown[key] = units
        return key

    def end(self, key: str) -> None:
        """Note that the answer to a purchase came, whatever it said."""
        self.unknown.pop(key, None)

    def drain(self) -> dict[str, int]:
        """Return the purchases without an answer and take them for lost."""
        unknown, self.unknown = self.unknown, {}
        self.lost |= unknown.keys()
        return unknown


def gather(journal: Journal) -> None:
    """Have what the journals of worker processes hold when a run ends put into that of the process that leads them."""

    @events.init.add_listener
    def expect(runner: Any, **_: Any) -> None:
        if isinstance(runner, MasterRunner):
            runner.register_message(_MESSAGE, lambda msg, **_: journal.unknown.update(msg.data))

    @events.test_stop.add_listener
    def tell(environment: Any, **_: Any) -> None:
        if isinstance(environment.runner, WorkerRunner):
            environment.runner.send_message(_MESSAGE, journal.drain())
