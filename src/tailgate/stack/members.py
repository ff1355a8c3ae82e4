"""What a stack asks of its parts, be they processes of this machine or containers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, Self

from tailgate.stack.access_log import AccessLogEntry
from tailgate.stack.probes import Probe


class Member(Protocol):
    """One service of a stack; `Process` and `Container` are such."""

    @property
    def name(self) -> str:
        """Unique in its stack."""

    @property
    def port(self) -> int | None:
        """Where it listens on 127.0.0.1, if it does; of a container it may change with each start."""

    @property
    def ready(self) -> Probe | None:
        """What tells that it is ready; without one it is ready when it runs."""

    @property
    def after(self) -> Sequence[Member]:
        """Members that must be ready before this one is asked."""

    @property
    def poll_s(self) -> float:
        """How often it is asked whether it is ready; as often as asking is cheap."""

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""

    @property
    def exit_code(self) -> int | None:
        """Exit code, minus the signal's number when one ended it; None while it runs or when we ended it."""

    @property
    def unexpected_end(self) -> str | None:
        """How it ended, as text, unless it runs or we ended it."""

    def start(self) -> Self:
        """Start it without waiting; one that runs is left alone."""

    def kill(self) -> None:
        """End it with SIGKILL, as a crash would."""

    def restart(self) -> Self:
        """Stop it in good order if it runs, and start it again, without waiting."""

    def wait_ready(self, *, timeout_s: float = ...) -> Self:
        """Wait until it is ready."""

    def cpu_s(self) -> float:
        """Return the processor seconds that it has used, over all restarts."""

    def log_tail(self, lines: int = ...) -> str:
        """Return the last lines that it wrote."""


class Database(Member, Protocol):
    """A database that tests may look into; `Postgres` and `PostgresContainer` are such."""

    @property
    def dsn(self) -> str:
        """``postgresql://USER:PASSWORD@HOST:PORT/DATABASE`` of a superuser."""


class LoadBalancer(Member, Protocol):
    """What stands in front of the instances and logs requests; `Nginx` and `NginxContainer` are such."""

    @property
    def url(self) -> str:
        """Where the service is reached, without a slash at the end."""

    def take_shortage(self) -> str | None:
        """Return one sentence if it had too few connections or files since the last call, otherwise None."""

    def access_log_position(self) -> int:
        """Return where the access log ends after every request so far."""

    def access_log_entries(self, since: int = ...) -> tuple[AccessLogEntry, ...]:
        """Return the requests that ended after the position ``since``."""

    def locate(self) -> Callable[[object], Iterator[tuple[str, dict[str, float]]]]:
        """Return what tells where requests from now on spend their time."""
