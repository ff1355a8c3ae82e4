"""The docker command: it knows the engine's address, contexts and certificates, so nothing here has to."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from tailgate.errors import BadInput, TailgateError

ANSWER_TIMEOUT_S = 60.0
"""The engine answers in milliseconds; on a machine under load a container may take seconds to start or stop."""
ENGINE_TIMEOUT_S = 10.0
PULL_TIMEOUT_S = 600.0
OLDEST_COMPOSE = (2, 20)
"""The first that knows all of what compose files and options here ask for, ``include`` last."""
COMPOSE = ".".join(map(str, OLDEST_COMPOSE))
INSTEAD = "or use --perf-stack=embedded, which needs none"


class DockerFailed(TailgateError):
    """A docker command failed.

    Attributes:
        output: What it wrote.
    """

    def __init__(self, arguments: Sequence[str], output: str) -> None:
        self.output = output
        super().__init__(f"docker {' '.join(arguments)}: {last_line(output)}")


def run_docker(
    *arguments: str,
    env: Mapping[str, str] | None = None,
    with_errors: bool = False,
    timeout_s: float | None = ANSWER_TIMEOUT_S,
) -> str:
    """Run ``docker`` and return what it wrote.

    Args:
        *arguments: What stands behind ``docker``.
        env: Added to this process's own environment.
        with_errors: Whether what it wrote to its standard error is returned as well.
        timeout_s: How long it may take; None for as long as it wants.

    Raises:
        DockerFailed: It failed, took too long, or is not there.
    """
    try:
        done = subprocess.run(
            ["docker", *arguments],  # noqa: S607 - whichever docker the person uses
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if with_errors else subprocess.PIPE,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as err:
        raise DockerFailed(arguments, str(err)) from err
    if done.returncode:
        raise DockerFailed(arguments, done.stderr or done.stdout)
    return done.stdout


def check_engine() -> None:
    """Make sure that an engine answers and that compose is there, version 2.20 or later.

    Raises:
        BadInput: One of them is missing; says what to do.
    """
    try:
        run_docker("version", "--format", "{{.Server.Version}}", timeout_s=ENGINE_TIMEOUT_S)
    except DockerFailed as err:
        if isinstance(err.__cause__, FileNotFoundError):
            raise BadInput([f"there is no docker command on the PATH; install Docker, {INSTEAD}"]) from err
        where = os.environ.get("DOCKER_HOST") or "its usual address"
        advice = f"start it, set DOCKER_HOST, {INSTEAD}"
        raise BadInput([f"no Docker daemon answers at {where} ({err}); {advice}"]) from err
    try:
        version = run_docker("compose", "version", "--short").strip()
    except DockerFailed as err:
        message = f"docker has no compose plugin; install docker compose version {COMPOSE} or later, {INSTEAD}"
        raise BadInput([message]) from err
    numbers = re.match(r"v?(\d+)\.(\d+)", version)
    if numbers and tuple(map(int, numbers.groups())) < OLDEST_COMPOSE:
        raise BadInput([f"docker compose is version {version}, wanted {COMPOSE} or later; update it, {INSTEAD}"])


def has_image(name: str) -> bool:
    """Tell whether an image is there."""
    try:
        run_docker("image", "inspect", name)
    except DockerFailed:
        return False
    return True


def require_image(name: str) -> None:
    """Make sure that an image is there, or pull it.

    Raises:
        BadInput: It is not there and cannot be pulled.
    """
    if has_image(name):
        return
    try:
        run_docker("image", "pull", "--quiet", name, timeout_s=PULL_TIMEOUT_S)
    except DockerFailed as err:
        raise BadInput([f"the image {name!r} is not here and cannot be pulled: {err}"]) from err


def inspect(containers: Sequence[str]) -> list[dict[str, Any]]:
    """Return what the engine knows of each container, in the same order."""
    if not containers:
        return []
    found: list[dict[str, Any]] = json.loads(run_docker("container", "inspect", *containers))
    return found


def read_cpu_s(container: str) -> float:
    """Return the processor seconds that a running container has used since its start.

    By the engine's own interface, since ``docker stats`` shows shares only, and an image may have no ``cat`` that could
    read the control group. ``dial-stdio`` is the connection to the engine; HTTP/1.0 lets it end with the answer.

    Raises:
        TailgateError: The engine did not answer in time, or told no processor time.
    """
    request = f"GET /containers/{container}/stats?stream=false&one-shot=true HTTP/1.0\r\n\r\n"
    # Its input stays open until the answer is there: the engine drops a request whose client has hung up.
    with subprocess.Popen(
        ["docker", "system", "dial-stdio"],  # noqa: S607 - whichever docker the person uses
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
    ) as dialled:
        assert dialled.stdin is not None
        assert dialled.stdout is not None
        limit = threading.Timer(ANSWER_TIMEOUT_S, dialled.kill)  # after which there is nothing more to read
        limit.start()
        try:
            with contextlib.suppress(BrokenPipeError):  # then there is no answer either
                dialled.stdin.write(request.encode())
            head, _, body = dialled.stdout.read().partition(b"\r\n\r\n")
        finally:
            limit.cancel()
    try:
        return float(json.loads(body)["cpu_stats"]["cpu_usage"]["total_usage"]) / 1e9
    except (ValueError, KeyError) as err:
        told = last_line((body or head).decode(errors="replace")) or "the engine did not answer"
        raise TailgateError(f"no processor time of container {container[:12]}: {told}") from err


def last_line(text: str) -> str:
    """Return the last line of ``text`` that is not empty."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
