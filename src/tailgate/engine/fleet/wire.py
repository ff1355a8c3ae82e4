"""What the master of a run and its workers say to each other, as plain values that Locust's messages carry."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Self

from locust import __version__ as locust_version
from locust.rpc.zmqrpc import BaseSocket

from tailgate.engine.plan import LoadPlan
from tailgate.engine.references import import_class, reference_of
from tailgate.engine.shares import Share
from tailgate.model import ErrorCount, Stage

HELLO = "tailgate_hello"
"""Worker: who it is (``Greeting``)."""
PING, PONG = "tailgate_ping", "tailgate_pong"
"""Master: asks for the time; worker: its time."""
PLAN = "tailgate_plan"
"""Master: what is going to be done (``Orders``)."""
READY = "tailgate_ready"
"""Worker: it can begin, or why it cannot."""
BEGIN = "tailgate_begin"
"""Master: when the run begins, by the master's clock."""
LEVEL = "tailgate_level"
"""Master: stage, users of all workers together, and the only classes to start."""
FLUSH = "tailgate_flush"
"""Master: asks for a report at once."""
REPORT = "tailgate_report"
"""Worker: what happened since its last report (``Report``)."""
STOP = "tailgate_stop"
"""Master: the run is over."""
BYE = "tailgate_bye"
"""Master: nothing follows; the text says why, if the worker was not wanted."""

Count = tuple[str, str, int]
"""Where, which error, and how often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeting:
    """Who a worker is."""

    name: str
    host: str
    pid: int
    tailgate: str
    locust: str
    python: str

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Self:
        """Return the greeting in a message, which may be one of another version."""
        return cls(**{item.name: data.get(item.name, "unknown") for item in fields(cls)})

    def problem(self, own: Greeting) -> str:
        """Return why its figures could not be put together with those of others; empty if they can."""
        wanted = {"tailgate": own.tailgate, "locust": own.locust}
        found = {"tailgate": self.tailgate, "locust": self.locust}
        differing = [
            f"{package} {found[package]} where pytest has {wanted[package]}"
            for package in wanted
            if found[package] != wanted[package]
        ]
        if not differing:
            return ""
        return f"worker {self.name} on {self.host} has {' and '.join(differing)}; install the same versions"


def greet(name: str, host: str, pid: int) -> Greeting:
    """Return the greeting of this process."""
    try:
        own = version("pytest-tailgate")
    except PackageNotFoundError:
        own = "unknown"
    return Greeting(
        name=name, host=host, pid=pid, tailgate=own, locust=str(locust_version), python=platform.python_version()
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What one worker is going to do."""

    user_classes: Sequence[str]
    """As ``reference_of`` writes them."""
    stages: Sequence[Mapping[str, Any]]
    host: str
    tags: Sequence[str]
    request_timeout_s: float
    stop_timeout_s: float
    is_numbered: bool
    first_number: int
    """Of the requests of all workers, who number theirs in turns; servers tell of them in one range then."""
    seed: int
    index: int
    count: int
    clock_offset_s: float
    """The worker's clock less the master's."""

    @classmethod
    def of(cls, plan: LoadPlan, share: Share, *, first_number: int, seed: int, clock_offset_s: float) -> Self:
        """Return the orders for one share of a plan."""
        return cls(
            user_classes=[reference_of(user_class) for user_class in plan.user_classes],
            stages=[asdict(stage) for stage in plan.stages],
            host=plan.host,
            tags=sorted(plan.tags),
            request_timeout_s=plan.request_timeout_s,
            stop_timeout_s=plan.stop_timeout_s,
            is_numbered=plan.is_numbered,
            first_number=first_number,
            seed=seed,
            index=share.index,
            count=share.count,
            clock_offset_s=clock_offset_s,
        )

    @property
    def share(self) -> Share:
        """The worker's part."""
        return Share(index=self.index, count=self.count)

    def plan(self) -> LoadPlan:
        """Return the plan, with the classes as they can be imported here.

        Raises:
            ImportError: One of them cannot.
        """
        return LoadPlan(
            user_classes=tuple(import_class(reference) for reference in self.user_classes),
            stages=tuple(Stage(**stage) for stage in self.stages),
            locust_shape=None,  # the master asks the shape, and tells the levels
            host=self.host,
            tags=frozenset(self.tags),
            request_timeout_s=self.request_timeout_s,
            stop_timeout_s=self.stop_timeout_s,
            time_scale=1.0,
            is_numbered=self.is_numbered,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a worker did since its last report; what is called ``so far`` is of the whole run."""

    keys: Sequence[tuple[str, str]] = ()
    """Methods and names that it saw for the first time; ``key_index`` counts on through all reports."""
    columns: Mapping[str, bytes] = field(default_factory=dict)
    """Its samples, as ``SampleLog.drain`` gives them."""
    sends_s: bytes = b""
    send_lags_ms: bytes = b""
    errors: Sequence[Count] = ()
    user_deaths: Sequence[Count] = ()
    task_exceptions: Sequence[Count] = ()
    listener_errors: Sequence[Count] = ()
    counters: Mapping[str, int] = field(default_factory=dict)
    sent: int = 0
    """So far; as the rest."""
    answered: int = 0
    samples: int = 0
    users: int = 0
    """That live now."""
    reached: Sequence[int] = ()
    """Highest level of its users in each stage."""
    due: int | None = None
    unsent: int | None = None
    unstoppable: int = 0
    late_s: float = 0.0
    """How long after the run it began."""
    clock_jump_s: float = 0.0
    answers_flush: int = 0
    """Number of the last ``FLUSH`` that it knows."""
    is_last: bool = False
    left: str = ""
    """What ended the worker early; empty if nothing did."""
    health: Mapping[str, Any] | None = None
    """``GeneratorHealth`` of the worker, with its last report."""


def hang_up(peer: BaseSocket, *, linger_ms: int = 1000) -> None:
    """Close one side's connection, when last messages have left or this time is over; its receiver has ended."""
    context = peer.socket.context
    peer.close(linger=linger_ms)
    context.term()


def message_of(value: Any) -> dict[str, Any]:
    """Return the fields of one of these values, to be sent."""
    return {item.name: getattr(value, item.name) for item in fields(value)}


def counts_between(before: Mapping[tuple[str, str], int], now: Sequence[ErrorCount]) -> list[Count]:
    """Return what came on top of ``before``."""
    return [
        (error.where, error.error, more)
        for error in now
        if (more := error.count - before.get((error.where, error.error), 0))
    ]
