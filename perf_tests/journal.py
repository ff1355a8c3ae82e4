"""What became of each purchase, as far as its buyer knows."""

from __future__ import annotations

import uuid
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NamedTuple

from locust import events
from locust.runners import MasterRunner, WorkerRunner

_MESSAGE = "journal"
_PREFIX = 24
"""Characters of a key that say which page it is on; the others are its number there, in hexadecimal."""
_UNKNOWN, _SOLD, _REFUSED, _FOUND = range(4)


class Purchase(NamedTuple):
    """What a buyer asked for."""

    product: str
    units: int


@dataclass(slots=True)
class Page:
    """The purchases of one process in one run, five bytes each: a soak test makes millions of them."""

    prefix: str = field(default_factory=lambda: str(uuid.uuid4())[:_PREFIX])
    wishes: list[Purchase] = field(default_factory=list)
    """Each kind of purchase once."""
    numbers: dict[Purchase, int] = field(default_factory=dict)
    """Where a kind is in `wishes`."""
    asked: array[int] = field(default_factory=lambda: array("I"))
    """The kind of each purchase."""
    states: bytearray = field(default_factory=bytearray)

    def add(self, purchase: Purchase) -> str:
        """Note a purchase and return its key, a UUID."""
        if purchase not in self.numbers:
            self.numbers[purchase] = len(self.wishes)
            self.wishes.append(purchase)
        self.asked.append(self.numbers[purchase])
        self.states.append(_UNKNOWN)
        return self._key(len(self.states) - 1)

    def end(self, key: str, *, is_sold: bool) -> None:
        """Note the answer to one of its purchases."""
        self.states[int(key[_PREFIX:], 16)] = _SOLD if is_sold else _REFUSED

    def unknown(self) -> dict[str, Purchase]:
        """Return the purchases without an answer by their keys."""
        return {self._key(number): purchase for number, purchase in self._in(_UNKNOWN)}

    def find_sold(self, key: str) -> Purchase | None:
        """Return what was sold by a key of this page, once; None if nothing was."""
        try:
            number = int(key[_PREFIX:], 16)
            state = self.states[number]
        except (ValueError, IndexError):
            return None  # a key that nobody made
        if state != _SOLD:
            return None
        self.states[number] = _FOUND
        return self.wishes[self.asked[number]]

    def not_found(self) -> Iterator[Purchase]:
        """Yield each purchase that was sold and not found since."""
        return (purchase for _, purchase in self._in(_SOLD))

    def to_data(self) -> list[Any]:
        """Return it as a message may carry it."""
        return [self.prefix, self.wishes, self.asked.tobytes(), bytes(self.states)]

    @classmethod
    def from_data(cls, data: Iterable[Any]) -> Page:
        """Return what `to_data` made a message of, on a machine of the same kind."""
        prefix, wishes, asked, states = data
        wishes = [Purchase(*wish) for wish in wishes]
        return cls(prefix, wishes, {}, array("I", asked), bytearray(states))

    def _key(self, number: int) -> str:
        return f"{self.prefix}{number:012x}"

    def _in(self, state: int) -> Iterator[tuple[int, Purchase]]:
        return ((number, self.wishes[self.asked[number]]) for number, one in enumerate(self.states) if one == state)


class Drained:
    """The purchases of a run that is over."""

    def __init__(self, pages: Iterable[Page]) -> None:
        self._pages = {page.prefix: page for page in pages}
        self.unknown = {key: purchase for page in self._pages.values() for key, purchase in page.unknown().items()}
        """Those without an answer, by key."""

    def find_sold(self, key: str | None) -> Purchase | None:
        """Return what was sold by a key, once; None if nothing was."""
        page = self._pages.get((key or "")[:_PREFIX])
        return page.find_sold(key) if page and key else None

    def not_found(self) -> Iterator[Purchase]:
        """Yield each purchase that was sold and not found since."""
        return chain.from_iterable(page.not_found() for page in self._pages.values())


@dataclass(slots=True)
class Journal:
    """Purchases of a run, sold or refused or without an answer: still running, lost, or failed by the server.

    Each purchase carries a key that the service writes into its ledger, so what really happened can be looked up.
    """

    page: Page = field(default_factory=Page)
    others: list[Page] = field(default_factory=list)
    """Those of worker processes."""
    lost: dict[str, Purchase] = field(default_factory=dict)
    """Drained without an answer, by key, until somebody finds them; what hung then may be booked later."""

    def begin(self, product: str, units: int) -> str:
        """Note a purchase that is about to be sent and return its key."""
        return self.page.add(Purchase(product, units))

    def end(self, key: str, *, is_sold: bool) -> None:
        """Note that the answer to a purchase came, and whether it said that it was made."""
        if key.startswith(self.page.prefix):  # otherwise it was drained without one
            self.page.end(key, is_sold=is_sold)

    def drain(self) -> Drained:
        """Return all purchases since the last time, and take those without an answer for lost."""
        drained = Drained([self.page, *self.others])
        self.page, self.others = Page(), []
        self.lost |= drained.unknown
        return drained


def gather(journal: Journal) -> None:
    """Have what the journals of worker processes hold when a run ends put into that of the process that leads them."""

    @events.init.add_listener
    def expect(runner: Any, **_: Any) -> None:
        if isinstance(runner, MasterRunner):
            runner.register_message(_MESSAGE, lambda msg, **_: journal.others.append(Page.from_data(msg.data)))

    @events.test_stop.add_listener
    def tell(environment: Any, **_: Any) -> None:
        if isinstance(environment.runner, WorkerRunner):
            page = journal.page
            journal.drain()
            environment.runner.send_message(_MESSAGE, page.to_data())
