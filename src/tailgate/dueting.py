"""The fixtures of a duet, as ``--perf-duet`` asks for one: what its two arms are, and how they are started."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Protocol

import pytest

from tailgate.collecting import THRESHOLDS, is_load_test, scenarios_of
from tailgate.errors import BadInput, TailgateError
from tailgate.options import OPTIONS

if TYPE_CHECKING:
    from tailgate.loading import Target
    from tailgate.stack.builds import Build

Builds = tuple["Build", "Build"]
"""Baseline and candidate."""


class StartArm(Protocol):
    """Starts what one arm of a duet loads."""

    def __call__(self, build: Build) -> AbstractContextManager[Target]:
        """Return what starts a stack of ``build``, ready when it is entered, and gone when it is left.

        The target may have ``service_cpu_s()``, the processor seconds that its services have used since their start;
        then processor time per request is compared as well.
        """
        ...  # pragma: no cover


@pytest.fixture(scope="session")
def perf_duet_requirements() -> Sequence[str]:
    """What pip installs, in the baseline's checkout, to make its environment; override it, such as ``[".[server]"]``."""
    return (".",)


@pytest.fixture(scope="session")
def perf_duet_builds(request: pytest.FixtureRequest) -> Iterator[Builds]:
    """Baseline and candidate of ``--perf-duet``; a checkout made for the baseline is gone when the session ends."""
    from tailgate.stack.builds import open_builds  # noqa: PLC0415 - only in a duet

    reference = request.config.stash[OPTIONS].duet
    assert reference is not None, "only a duet asks for builds"
    requirements = request.getfixturevalue("perf_duet_requirements")
    try:
        opened = open_builds(
            reference,
            root=request.config.rootpath,
            stack=str(request.config.getoption("perf_stack")),
            requirements=requirements,
        )
        builds = opened.__enter__()
    except BadInput as error:
        raise pytest.exit.Exception(f"--perf-duet: {error}", returncode=pytest.ExitCode.USAGE_ERROR) from None
    except TailgateError as error:
        raise pytest.fail.Exception(f"--perf-duet: {error}", pytrace=False) from None
    try:
        yield builds
    finally:
        opened.__exit__(None, None, None)


@pytest.fixture(scope="session")
def perf_duet_arm() -> StartArm:
    """Start what one arm loads; override it to start your service from a checkout (see docs/duet.md)."""
    from tailgate.loading import RunningTarget  # noqa: PLC0415 - imports this module

    def start(build: Build) -> AbstractContextManager[Target]:
        if build.url is None:
            message = (
                f"--perf-duet: nothing says how to start {build.label}: override the fixture perf_duet_arm (docs/duet.md), "
                "or name two running services by --perf-duet=BASELINE_URL,CANDIDATE_URL"
            )
            raise pytest.exit.Exception(message, returncode=pytest.ExitCode.USAGE_ERROR)
        return nullcontext(RunningTarget(build.url))

    return start


def select_duets(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the load tests that have nothing to compare.

    Raises:
        BadInput: None is left.
    """
    if config.stash[OPTIONS].duet is None:
        return
    scenarios = config.stash[THRESHOLDS].scenarios
    others = [
        item
        for item in items
        if is_load_test(item) and not all(scenarios[name].regressions for name in scenarios_of(item))
    ]
    if not any(is_load_test(item) for item in items if item not in others):
        path = config.stash[OPTIONS].thresholds.name
        wanted = "regression: {metric: p95_ms, max_change_ratio: 0.10}"
        raise BadInput(
            [f"--perf-duet: no selected load test has anything to compare; add to its scenario in {path} {wanted}"]
        )
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in others]
