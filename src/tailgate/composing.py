"""Containers for a session: what ``--perf-stack=docker`` loads, started by pytest-docker, gone whatever happens."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tailgate.errors import BadInput, TailgateError

if TYPE_CHECKING:
    from tailgate.stack import Stack
    from tailgate.stack.compose import ComposeProject


@pytest.fixture(scope="session")
def perf_entry_service() -> str:
    """Name of the compose service that users send their requests to; override it.

    ``NAME:PORT``, with the port inside of the container, if the service publishes several.
    """
    return "nginx"


@pytest.fixture(scope="session")
def perf_compose_project(request: pytest.FixtureRequest) -> Iterator[ComposeProject]:
    """The session's compose project, that of pytest-docker's fixtures, before it is started.

    It is gone when the session ends, with its volumes, also if its start failed or pytest was killed.
    """
    from tailgate.stack.compose import ComposeProject  # noqa: PLC0415 - only if asked for

    if not any(map(request.config.pluginmanager.has_plugin, ("docker", "pytest_docker"))):
        message = "--perf-stack=docker needs pytest-docker: pip install 'pytest-tailgate[docker]'"
        raise pytest.exit.Exception(message, returncode=pytest.ExitCode.USAGE_ERROR)
    files = request.getfixturevalue("docker_compose_file")
    name = request.getfixturevalue("docker_compose_project_name")
    with contextlib.ExitStack() as exits:
        with plain_failure():
            project = exits.enter_context(ComposeProject(name, files if isinstance(files, list) else [files]))
        yield project


@pytest.fixture(scope="session")
def perf_compose_stack(
    request: pytest.FixtureRequest, perf_compose_project: ComposeProject, perf_entry_service: str
) -> Stack:
    """The containers, started by pytest-docker and healthy; each of them is a service that a test can kill."""
    with plain_failure():
        # Not an argument: what is wrong with the containers has to be looked up before they are taken away.
        with perf_compose_project.explaining():
            request.getfixturevalue("docker_services")
        stack = perf_compose_project.stack(perf_entry_service)
        stack.wait_ready()
        return stack


@contextlib.contextmanager
def plain_failure() -> Iterator[None]:
    """Show what is wrong with the stack as one message, without a traceback of ours; wrong input ends the session."""
    # What pytest.exit and pytest.fail raise, but "from None": pytest would show the message a second time as its cause.
    try:
        yield
    except BadInput as err:
        if "PYTEST_XDIST_WORKER" in os.environ:  # a worker that ends is an internal error to xdist
            raise pytest.fail.Exception(f"--perf-stack: {err}", pytrace=False) from None
        raise pytest.exit.Exception(f"--perf-stack: {err}", returncode=pytest.ExitCode.USAGE_ERROR) from None
    except (TailgateError, OSError) as err:
        raise pytest.fail.Exception(str(err), pytrace=False) from None
