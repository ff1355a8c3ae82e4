"""The fixtures of a duet, as ``--perf-duet`` asks for one: what its two arms are, and how they are started."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import pytest

from tailgate.announcing import ProgressLine
from tailgate.errors import BadInput, TailgateError
from tailgate.judging import RUNS, judge_now
from tailgate.model import Judged, Scenario, Verdict
from tailgate.options import OPTIONS
from tailgate.reporting import RUN_LOG
from tailgate.shapes import is_open

if TYPE_CHECKING:
    from tailgate.engine import LoadPlan
    from tailgate.loading import Target
    from tailgate.playing import Duet
    from tailgate.run import RunResult
    from tailgate.stack.builds import Build

Builds = tuple["Build", "Build"]
"""Baseline and candidate."""


class StartArm(Protocol):
    """Starts what one arm of a duet loads."""

    def __call__(self, build: Build) -> AbstractContextManager[Target]:
        """Return what starts a stack of ``build``, ready when it is entered, and gone when it is left.

        The target may have ``service_cpu_s()``, the processor seconds that its services have used since their start, or
        None where they cannot be read; then processor time per request is compared as well.
        """
        ...  # pragma: no cover


@pytest.fixture(scope="session")
def perf_duet_requirements() -> Sequence[str]:
    """What pip installs in the baseline's checkout to make its environment; override it, as by ``[".[server]"]``."""
    return (".",)


@pytest.fixture(scope="session")
def perf_duet_builds(request: pytest.FixtureRequest, perf_duet_requirements: Sequence[str]) -> Iterator[Builds]:
    """Baseline and candidate of ``--perf-duet``; a checkout made for the baseline is gone when the session ends."""
    from tailgate.stack.builds import open_builds  # noqa: PLC0415 - only in a duet

    reference = request.config.stash[OPTIONS].duet
    assert reference is not None, "only a duet asks for builds"
    stack = str(request.config.getoption("perf_stack"))
    root = request.config.rootpath
    with ExitStack() as exits:
        try:
            with closing(ProgressLine(request.config)) as line:
                line.say(f"preparing the builds to compare ({reference})")  # A checkout and pip may take minutes.
                builds = exits.enter_context(
                    open_builds(reference, root=root, stack=stack, requirements=perf_duet_requirements)
                )
        except BadInput as error:
            raise pytest.exit.Exception(f"--perf-duet: {error}", returncode=pytest.ExitCode.USAGE_ERROR) from None
        except TailgateError as error:
            raise pytest.fail.Exception(f"--perf-duet: {error}", pytrace=False) from None
        yield builds


@pytest.fixture(scope="session")
def perf_duet_arm(request: pytest.FixtureRequest) -> StartArm:
    """Load what runs already; override it to start your service from a checkout (see docs/duet.md)."""
    from tailgate.loading import RunningTarget  # noqa: PLC0415 - imports this module

    reference = request.config.stash[OPTIONS].duet
    assert reference is not None, "only a duet asks for arms"
    if "://" not in reference:
        message = (
            f"--perf-duet: nothing says how to start a build of {reference!r}: override the fixture perf_duet_arm "
            "(docs/duet.md), or name two running services by --perf-duet=BASELINE_URL,CANDIDATE_URL"
        )
        raise pytest.exit.Exception(message, returncode=pytest.ExitCode.USAGE_ERROR)

    def start(build: Build) -> AbstractContextManager[Target]:
        assert build.url is not None, "both builds are URLs"
        return nullcontext(RunningTarget(build.url))

    return start


def check_duet_load(plan: LoadPlan, limits: Scenario, *, host: str | None, actions: Mapping[str, object]) -> None:
    """Refuse a load that cannot be played as a duet, before anything is started.

    Raises:
        BadInput: With every problem found.
    """
    problems = []
    if not is_open(plan.stages):
        problems.append(
            "load: a duet sends each request to one of two builds by chance, which takes requests that arrive at a "
            "rate; use shape=Arrivals(...), or stages with an arrival_rate_rps"
        )
    if not limits.regressions:
        problems.append(
            f"{limits.source}: $.scenarios.{limits.name}: has no regression:, so a duet has nothing to compare"
        )
    if host is not None:
        problems.append(
            f"load: host is {host!r}, but a duet loads the two stacks that perf_duet_arm starts; leave it out"
        )
    if actions:
        problems.append(f"load: at_stage {', '.join(map(repr, actions))}: a duet has no such actions; leave them out")
    if problems:
        raise BadInput(problems)


@dataclass(slots=True)
class DuetSlot:
    """A duet, played as far as it got."""

    duet: Duet
    run: RunResult
    """The candidate's rounds as one run, for the test to look at."""
    notes: Sequence[str]
    problem: str = ""
    """What ended it before it was decided; empty if nothing did."""
    judged: Judged | None = None
    error: Exception | None = None

    def judge(self, item: pytest.Item) -> None:
        """Judge what the rounds say together."""
        from tailgate.duet_judge import judge_duet  # noqa: PLC0415 - NumPy only for a load
        from tailgate.fingerprint import take_fingerprint  # noqa: PLC0415

        duet = self.duet
        judged = judge_duet(
            duet.rounds,
            duet.scenario,
            facts=duet.facts,
            changes=duet.changes,
            fingerprint=take_fingerprint(),
            notes=self.notes,
        )
        if self.problem:
            judged = replace(judged, verdict=Verdict.INVALID, reasons=(*judged.reasons, self.problem))
        self.judged = judged
        item.config.stash[RUN_LOG].put(item.nodeid, id(self), judged)

    def raise_for_verdict(self, config: pytest.Config) -> None:
        """Raise for a regression, an invalid duet, or with ``--perf-strict`` an open question."""
        __tracebackhide__ = True
        from tailgate.duet_judge import raise_for_duet  # noqa: PLC0415 - as above

        assert self.judged is not None
        raise_for_duet(self.judged, is_strict=config.stash[OPTIONS].is_strict)


def play_duet(request: pytest.FixtureRequest, plan: LoadPlan, limits: Scenario) -> RunResult:
    """Play a duet and return the candidate's rounds as one run; judged as any run of the test is.

    Whatever ends it early, the rounds that were played are judged and reported.
    """
    from tailgate.duet_join import join_rounds  # noqa: PLC0415 - NumPy only for a load
    from tailgate.noise_floor import load_noise_floor  # noqa: PLC0415 - only in a duet
    from tailgate.playing import Duet, play  # noqa: PLC0415 - Locust is imported only for a load

    item, options = request.node, request.config.stash[OPTIONS]
    floor = load_noise_floor(request.config.rootpath)
    start = request.getfixturevalue("perf_duet_arm")  # Before the builds, whose environments take a while.
    builds = request.getfixturevalue("perf_duet_builds")
    duet = Duet(
        builds=builds,
        start=start,
        scenario=limits,
        plan=plan,
        noise_floor_ratio=floor.ratio,
        injected_ratio=options.injected_ratio,
        are_processes_ours=request.config.getoption("perf_stack") != "docker" and builds[0].url is None,
    )
    problem = ""
    try:
        play(duet, request.config, test=item.nodeid)
    except BaseException as error:
        problem = f"round {len(duet.rounds) + 1} ended with {type(error).__name__}: {error}".removesuffix(": ")
        raise
    finally:
        if duet.rounds:
            notes = (*(note for build in builds for note in build.notes), str(floor.floor or floor.reason))
            slot = DuetSlot(duet, join_rounds([round_.candidate.run for round_ in duet.rounds]), notes, problem)
            item.stash[RUNS].slots.append(slot)
    if slot.run.facts.interrupted:
        slot.judge(item)
        return slot.run
    slot.run = replace(slot.run, _judge=lambda changed: judge_now(item, slot, changed))
    return slot.run
