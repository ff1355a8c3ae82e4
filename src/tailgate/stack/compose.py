"""A docker compose project that lives as long as the test session, and not a moment longer."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tailgate.errors import BadInput, StackNotReady, TailgateError
from tailgate.model import count_of
from tailgate.stack.containers import LOOPBACK, Container, render_end, render_health
from tailgate.stack.docker import DockerFailed, check_engine, has_image, inspect, run_docker
from tailgate.stack.guard import KINDS
from tailgate.stack.sandbox import Sandbox
from tailgate.stack.stack import Stack

START_TIMEOUT_S = 120
"""How long all containers together may take to become healthy, once their images are there."""
UP = f"up --detach --wait --wait-timeout {START_TIMEOUT_S}"
"""The subcommand that starts a project; ``--build`` or ``--no-build`` may follow."""
LOG_LINES = 20
MESSAGES = 3
_LABEL = "com.docker.compose"


class ComposeProject:
    """A compose project by its name; everything that carries the name is removed when it is left, or we are killed.

    Use it as a context manager, with `up` in it or whatever else starts the project, such as pytest-docker. What is
    there before belongs to somebody else and would be removed as well, so it is refused.

    Args:
        name: Unique on the machine; lower-case letters, digits, ``-`` and ``_``.
        files: The compose files, as ``-f`` takes them.
        env: Variables for them, added to those of this process.
    """

    def __init__(self, name: str, files: Sequence[str | Path], *, env: Mapping[str, str] | None = None) -> None:
        self.name = name
        self._files = tuple(map(str, files))
        self._env = dict(env or {})
        self._sandbox = Sandbox()

    def __enter__(self) -> Self:
        check_engine()
        if missing := [file for file in self._files if not Path(file).is_file()]:
            raise BadInput([f"{file}: no such compose file" for file in missing])
        self._refuse_what_is_there()
        self._sandbox.__enter__()
        self._sandbox.claim_project(self.name)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sandbox.__exit__(kind, error, trace)

    def up(self, *options: str) -> None:
        """Make the containers, start them and wait until they are healthy.

        Args:
            *options: Of ``docker compose up``, such as ``--build``.

        Raises:
            BadInput: An image cannot be had, or a compose file cannot be used.
            StackNotReady: A container ended or was not healthy in time; with the end of its log.
        """
        with self.explaining():
            self._compose(*UP.split(), *options)

    @contextlib.contextmanager
    def explaining(self) -> Iterator[None]:
        """Turn whatever a start of the project in here raises into what is wrong with the containers.

        Raises:
            BadInput: There are none, so an image cannot be had or a compose file cannot be used.
            StackNotReady: One of them ended or was not healthy in time; with the end of its log.
            TailgateError: The engine could not start them.
        """
        start = time.monotonic()
        try:
            yield
        except BadInput:
            raise
        except Exception as err:
            output = err.output if isinstance(err, DockerFailed) else str(err)
            raise self._explain(output, waited_s=time.monotonic() - start) from err

    def stack(self, entry: str) -> Stack:
        """Return the running project as a stack whose services are all its containers.

        Args:
            entry: The service that users send their requests to, as ``NAME`` or, if it publishes several ports,
                ``NAME:PORT`` with the port inside of the container.
        """
        containers = {name: Container(name, identity) for name, identity in self.identities().items()}
        name, _, port = entry.partition(":")
        if name not in containers or not (port.isdecimal() or not port):
            known = ", ".join(sorted(containers))
            raise BadInput([f"entry service {entry!r}: wanted NAME or NAME:PORT with one of the containers: {known}"])
        published = containers[name].published(int(port) if port else None)
        return Stack(url=f"http://{LOOPBACK}:{published}", services=containers)

    def identities(self) -> dict[str, str]:
        """Return the id of each container that runs, by its service; with a number where a service has several."""
        found = [one for one in self._inspect() if one["State"]["Running"]]  # not what only prepared something
        services = [_service(one) for one in found]
        numbers = [one["Config"]["Labels"][f"{_LABEL}.container-number"] for one in found]
        return {
            service if services.count(service) == 1 else f"{service}-{number}": one["Id"]
            for one, service, number in zip(found, services, numbers, strict=True)
        }

    def _refuse_what_is_there(self) -> None:
        label = f"label={_LABEL}.project={self.name}"
        counts = {
            kind: len(run_docker(kind, *list_all.split(), "--quiet", "--filter", label).split())
            for kind, (list_all, _) in KINDS.items()
        }
        if found := ", ".join(count_of(count, kind) for kind, count in counts.items() if count):
            message = (
                f"the compose project {self.name!r} is there already ({found}) and would be removed in the end, with "
                "all of its data; give another name (fixture docker_compose_project_name), or remove it yourself: "
                f"docker compose -p {self.name} down --volumes"
            )
            raise BadInput([message])

    def _compose(self, *arguments: str) -> str:
        files = [part for file in self._files for part in ("-f", file)]
        return run_docker("compose", *files, "-p", self.name, *arguments, env=self._env, timeout_s=None)

    def _missing_images(self) -> list[str]:
        """Return the images that the compose files name and that are not there; none if they cannot be read."""
        try:
            named = self._compose("config", "--images").split()
        except TailgateError:
            return []
        return sorted({name for name in named if not has_image(name)})

    def _inspect(self) -> list[dict[str, Any]]:
        label = f"label={_LABEL}.project={self.name}"
        return inspect(run_docker("container", "ls", "--all", "--quiet", "--no-trunc", "--filter", label).split())

    def _explain(self, output: str, *, waited_s: float) -> TailgateError:
        """Say why a start failed, from the states of the containers: what compose writes changes with versions."""
        found = self._inspect()
        failed = f"docker compose cannot start the containers of {', '.join(self._files)}: {_errors(output)}"
        if not found:
            missing = self._missing_images()
            advice = f"; not here: {', '.join(missing)}; is it named right, and can its registry be reached?"
            return BadInput([failed + (advice if missing else "")])
        if problems := sorted(filter(None, map(_problem, found))):
            _, name, problem, identity = problems[0]
            return StackNotReady(
                service=name,
                url="docker compose up",
                waited_s=waited_s,
                last_error=problem,
                log_tail=Container(name, identity).log_tail(LOG_LINES),
            )
        return TailgateError(failed)


def _problem(container: Mapping[str, Any]) -> tuple[int, str, str, str] | None:
    """Return what is wrong with a container, behind how much it explains, and its service; None if it only waited."""
    state = container["State"]
    health = state.get("Health") or {"Status": "healthy"}
    if state["Status"] == "exited":
        rank, problem = 2 if state["ExitCode"] == 0 else 0, render_end(state)
    elif state["Running"] and health["Status"] != "healthy":
        rank, problem = 1, render_health(health)
    else:
        return None
    return rank, _service(container), problem, container["Id"]


def _errors(output: str) -> str:
    """Return the lines that tell of errors, or else the last one; without what pytest-docker puts around them."""
    lines = [line.strip() for line in output.removesuffix('""".').splitlines() if line.strip()]
    errors = [line for line in lines if re.search(r"\berror\b|\bfailed\b", line, flags=re.IGNORECASE)]
    return "; ".join(errors[-MESSAGES:] or lines[-1:])


def _service(container: Mapping[str, Any]) -> str:
    return str(container["Config"]["Labels"][f"{_LABEL}.service"])
