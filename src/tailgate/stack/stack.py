"""A running stack as one value, whoever started it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tailgate.errors import TailgateError
from tailgate.stack.members import Database, LoadBalancer, Member
from tailgate.stack.process import READY_TIMEOUT_S, wait_all_ready


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """What a load test is run against."""

    url: str
    """The entry: scheme, host and port, without a slash at the end."""
    services: Mapping[str, Member] = field(default_factory=dict)
    """The instances under test, by name."""
    postgres: Database | None = None
    nginx: LoadBalancer | None = None
    others: Mapping[str, Member] = field(default_factory=dict)
    """What else belongs to it, by name, such as a collector."""

    @property
    def processes(self) -> dict[str, Member]:
        """Every process or container of this stack, by name; each comes after those that it needs."""
        everything = (self.postgres, *self.services.values(), self.nginx, *self.others.values())
        return {member.name: member for member in everything if member is not None}

    @property
    def is_external(self) -> bool:
        """Whether somebody else runs it: then nothing in it can be killed, measured or watched."""
        return not self.processes

    def wait_ready(self, *, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Wait until everything is ready, side by side.

        Raises:
            StackNotReady: Something was not in time, or ended meanwhile.
        """
        wait_all_ready(self.processes.values(), timeout_s=timeout_s)

    def kill(self, name: str) -> None:
        """End a process with SIGKILL, as a crash would; `check_alive` does not hold it against the stack."""
        self._process(name).kill()

    def start(self, name: str) -> Member:
        """Start a process again, without waiting; on the same port, unless it is a container."""
        return self._process(name).start()

    def restart(self, name: str) -> Member:
        """Stop a process in good order if it runs, and start it again, without waiting."""
        return self._process(name).restart()

    def check_alive(self) -> list[str]:
        """Return one sentence for each process that ended although nobody asked for it.

        And one if nginx had no room for every connection; this only once, to whoever asks first.
        """
        ends = [end for process in self.processes.values() if (end := process.unexpected_end)]
        shortage = self.nginx.take_shortage() if self.nginx else None
        return [*ends, shortage] if shortage else ends

    def cpu_s(self) -> dict[str, float]:
        """Return the processor seconds that each process and its children have used since the start."""
        return {name: process.cpu_s() for name, process in self.processes.items()}

    def service_cpu_s(self) -> float | None:
        """Return the processor seconds that the instances and their children have used since the start, together.

        None where it has none, as where somebody else runs them: that is not to have used nothing.
        """
        return sum(process.cpu_s() for process in self.services.values()) if self.services else None

    def _process(self, name: str) -> Member:
        try:
            return self.processes[name]
        except KeyError:
            known = ", ".join(self.processes) or "none, because somebody else runs it"
            raise TailgateError(f"the stack has no process {name!r}; it has: {known}") from None
