"""Containers of a compose project, with the same face as the processes of an embedded stack."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from tailgate.errors import TailgateError
from tailgate.stack.docker import inspect, last_line, read_cpu_s, run_docker
from tailgate.stack.members import Member
from tailgate.stack.nginx_log import NginxLog
from tailgate.stack.probes import Probe, http_answers
from tailgate.stack.process import READY_TIMEOUT_S, render_exit, wait_all_ready

LOOPBACK = "127.0.0.1"
_SHELL_SIGNAL = 128
"""An exit code above it is that of a signal."""


class Container:
    """One container that exists already: looked at, killed, started again, and asked whether it is ready.

    Nothing is remembered about it: a container that is started again has another port, and perhaps another address.

    Args:
        name: Its service in the compose file.
        identity: Its id, or its own name.
        health_path: A path that it answers with 200 when it is ready; None takes its health check.
        after: Members that must be ready before this one is asked.
        moved: Called after a start that gave it another address in its network.
    """

    poll_s = 0.2

    def __init__(
        self,
        name: str,
        identity: str,
        *,
        health_path: str | None = None,
        after: Sequence[Member] = (),
        moved: Callable[[], None] | None = None,
    ) -> None:
        self.name = name
        self.after = tuple(after)
        self.ready = Probe(f"GET {health_path}" if health_path else "its health check", self._ask)
        self._identity = identity
        self._health_path = health_path
        self._moved = moved
        self._is_wanted = True
        self._addresses = self._network_addresses()
        self._ended_cpu_s = 0.0

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} {self._identity[:12]}>"

    @property
    def port(self) -> int:
        """The one port of 127.0.0.1 that leads to it.

        Raises:
            TailgateError: It does not run, or publishes none or several.
        """
        return self.published()

    def published(self, port: int | None = None) -> int:
        """Return the port of 127.0.0.1 that leads to one of its own, which may be left out if there is one only.

        Raises:
            TailgateError: It does not run, or publishes no such port.
        """
        bindings = {
            int(inside.partition("/")[0]): int(outside[0]["HostPort"])
            for inside, outside in (self.inspect()["NetworkSettings"]["Ports"] or {}).items()
            if outside
        }
        wanted = [port] if port is not None else list(bindings)
        if len(wanted) == 1 and wanted[0] in bindings:
            return bindings[wanted[0]]
        known = ", ".join(map(str, sorted(bindings))) or "none"
        asked = f"port {port}" if port is not None else "one port"
        raise TailgateError(f"container {self.name!r}: wanted {asked} that is published; published are: {known}")

    @property
    def address(self) -> str:
        """``127.0.0.1:PORT``."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def is_running(self) -> bool:
        """Whether it runs."""
        return bool(self.inspect()["State"]["Running"])

    @property
    def exit_code(self) -> int | None:
        """Exit code, minus the signal's number when one ended it; None while it runs or when we ended it."""
        state = self.inspect()["State"]
        return None if state["Running"] or not self._is_wanted else _exit_code(state)

    @property
    def unexpected_end(self) -> str | None:
        """How it ended, as text, unless it runs or we ended it."""
        state = self.inspect()["State"]
        return None if state["Running"] or not self._is_wanted else f"{self.name} {render_end(state)}"

    def start(self) -> Self:
        """Start it without waiting; one that runs is left alone."""
        run_docker("container", "start", self._identity)
        self._is_wanted = True
        before, self._addresses = self._addresses, self._network_addresses()
        if self._moved is not None and self._addresses != before:
            self._moved()
        return self

    def kill(self) -> None:
        """End it with SIGKILL, as a crash would."""
        self._end("kill")

    def stop(self) -> None:
        """End it in good order."""
        self._end("stop")

    def restart(self) -> Self:
        """Stop it if it runs, and start it again, without waiting."""
        self.stop()
        return self.start()

    def wait_ready(self, *, timeout_s: float = READY_TIMEOUT_S) -> Self:
        """Wait until it is ready.

        Raises:
            StackNotReady: It was not in time, or ended meanwhile, which is noticed at once.
        """
        wait_all_ready([self], timeout_s=timeout_s)
        return self

    def log_tail(self, lines: int = 20) -> str:
        """Return the last ``lines`` lines that it wrote."""
        return run_docker("container", "logs", "--tail", str(lines), self._identity, with_errors=True).rstrip()

    def cpu_s(self) -> float:
        """Return the processor seconds that it has used, its health checks included, over all restarts."""
        return self._ended_cpu_s + (read_cpu_s(self._identity) if self.is_running else 0.0)

    def inspect(self) -> dict[str, Any]:
        """Return what the engine knows of it now."""
        return inspect([self._identity])[0]

    def execute(self, *argv: str) -> str:
        """Run a program in it and return what it wrote."""
        return run_docker("container", "exec", self._identity, *argv)

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to its first process."""
        run_docker("container", "kill", "--signal", number.name, self._identity)

    def _ask(self, timeout_s: float) -> None:
        """Ask once whether it is ready, where it is now."""
        if self._health_path is not None:
            http_answers(f"http://{self.address}{self._health_path}").attempt(timeout_s)
            return
        health = self.inspect()["State"].get("Health")
        if health is not None and health["Status"] != "healthy":
            raise ConnectionError(render_health(health))

    def _end(self, command: str) -> None:
        if self.is_running:
            self._ended_cpu_s += read_cpu_s(self._identity)
            run_docker("container", command, self._identity)
        self._is_wanted = False

    def _network_addresses(self) -> list[str]:
        networks = self.inspect()["NetworkSettings"]["Networks"]
        return [network["IPAddress"] for network in networks.values()]


class PostgresContainer(Container):
    """A container of PostgreSQL, configured by the variables of the official image."""

    @property
    def dsn(self) -> str:
        """``postgresql://USER:PASSWORD@HOST:PORT/DATABASE`` of a superuser."""
        variables = dict(text.split("=", 1) for text in self.inspect()["Config"]["Env"])
        user = variables.get("POSTGRES_USER", "postgres")
        database = variables.get("POSTGRES_DB", user)
        return f"postgresql://{user}:{variables['POSTGRES_PASSWORD']}@{self.address}/{database}"


class NginxContainer(Container, NginxLog):
    """A container of nginx that writes the log of ``nginx.conf`` into ``NGINX_DIRECTORY``."""

    @property
    def url(self) -> str:
        """Where the service is reached, without a slash at the end."""
        return f"http://{self.address}"

    def reload(self) -> None:
        """Have it look up the addresses of its upstreams again; connections that are in use are finished."""
        self.send_signal(signal.SIGHUP)

    def _log_size(self) -> int:
        return int(self._in_directory("wc -c <access.log"))

    def _read_log(self, since: int) -> bytes:
        return self._in_directory(f"tail -c +{since + 1} access.log").encode()

    def _read_messages(self) -> str:
        return run_docker("container", "logs", self._identity, with_errors=True)

    def _reopen_log(self) -> None:
        self.send_signal(signal.SIGUSR1)

    def _in_directory(self, script: str) -> str:
        return self.execute("/bin/sh", "-c", f'cd "$NGINX_DIRECTORY" && {script}')


def render_end(state: Mapping[str, Any]) -> str:
    """Put in words how a container ended."""
    reason = ", since it wanted more memory than its limit" if state["OOMKilled"] else ""
    return render_exit(_exit_code(state)) + reason


def render_health(health: Mapping[str, Any]) -> str:
    """Put in words what the health check says, with its last line: that of a traceback is its reason."""
    told = [last_line(check["Output"]) for check in health["Log"] or () if check["ExitCode"]]
    return ": ".join([health["Status"], *filter(None, told[-1:])])


def _exit_code(state: Mapping[str, Any]) -> int:
    """Return the exit code, minus the signal's number when one ended it."""
    code = int(state["ExitCode"])
    return _SHELL_SIGNAL - code if code > _SHELL_SIGNAL else code
