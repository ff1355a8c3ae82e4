"""The ``load`` fixture: plan a run, take the machine's turn, run it, and have it judged in its test."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

import pytest

from tailgate.baselining import identify_load, read_saved
from tailgate.collecting import SCENARIOS, THRESHOLDS, is_load_test, scenarios_of, unknown_name
from tailgate.dueting import check_duet_load, play_duet
from tailgate.errors import BadInput, ThresholdFileError
from tailgate.judging import RUNS, RunSlot, TestRuns, judge_now, judge_rest
from tailgate.keeping import keeping
from tailgate.model import Scenario, Severity, match_name
from tailgate.options import OPTIONS
from tailgate.reporting import RUN_LOG
from tailgate.shapes import Stress
from tailgate.telemetering import begin_run

if TYPE_CHECKING:
    from tailgate.engine import LoadPlan
    from tailgate.run import RunResult
    from tailgate.tiers import Told
    from tailgate.watching import RunMonitor

Complete = Callable[["RunResult"], Mapping[str, float]]
"""Computes further counters from a run that is over."""
Observe = Callable[[], Complete]
"""Looks at the world before a run, and returns what then computes further counters from the run."""
Tell = Callable[["RunResult"], "Told"]
"""Tells what servers reported about the requests of a run that is over."""
Locate = Callable[[], Tell]
"""Takes note before a run of where the servers' reports begin, and returns what tells of them after it."""


class Target(Protocol):
    """What is loaded."""

    @property
    def url(self) -> str:
        """Base URL."""
        ...  # pragma: no cover

    def check_alive(self) -> Sequence[str]:
        """Return one sentence for each part that died without being told to."""
        ...  # pragma: no cover


_SIGTERM_STATUS = 128 + signal.SIGTERM


@dataclass(frozen=True, slots=True)
class RunningTarget:
    """Somebody else's running service."""

    url: str

    def check_alive(self) -> Sequence[str]:
        """Return nothing: what is not ours cannot be watched."""
        return ()


@pytest.fixture
def perf_target(request: pytest.FixtureRequest) -> Target | None:
    """What ``load`` loads when it is given no host: what ``--perf-stack`` says; override it to yield your stack."""
    choice = str(request.config.getoption("perf_stack"))
    if choice == "docker":
        containers: Target = request.getfixturevalue("perf_compose_stack")
        return containers
    return RunningTarget(choice.rstrip("/")) if "://" in choice else None


@pytest.fixture
def load(request: pytest.FixtureRequest) -> Generator[Load, None, None]:
    """Run load against the target and return what it measured: ``load([Shopper], shape=Peak())``."""
    request.node.stash[RUNS] = TestRuns()
    request.node.stash[SCENARIOS] = scenarios_of(request.node)
    # A duet starts stacks of its own; another one beside them would cost the processor time that they need.
    is_duet = request.config.stash[OPTIONS].duet is not None
    made = Load(request.node, request, None if is_duet else request.getfixturevalue("perf_target"))
    yield made
    made.close()
    # What fixtures loaded after the test, or before it when one of them failed.
    try:
        judge_rest(request.node)
    finally:
        request.node.stash[RUNS].slots.clear()  # the samples of all tests would fill the memory


class Load:
    """Makes the load runs of one test."""

    def __init__(self, item: pytest.Item, request: pytest.FixtureRequest, target: Target | None) -> None:
        self._item = item
        self._request = request
        self._target = target
        self._observers: list[Observe] = []
        self._locators: list[Locate] = []
        self._is_closed = False

    def close(self) -> None:
        """Refuse whatever is asked for from now on: its fixture is torn down, and nobody would judge it."""
        self._is_closed = True

    def observe(self, begin: Observe) -> None:
        """Have counters added to each run that follows, before it is judged.

        ``begin`` is called right before a run and returns a function; that is called with the run when it is over
        and returns counters by name. Both are called outside of the event loop, so they may block. A duet does without:
        what is seen from outside belongs to neither arm.
        """
        self._observers.append(begin)

    def locate(self, begin: Locate) -> None:
        """Have each run that follows divided into tiers: where requests spent their time.

        ``begin`` is called as that of ``observe`` is, and what it returns tells afterwards, for each request, its
        ``X-Request-Id`` and the milliseconds in each tier: ``("4711", {"nginx": 0.4, "service": 3.1})``. For that,
        requests carry a number as their id, unless users send one of their own.
        """
        self._locators.append(begin)

    def __call__(
        self,
        users: Sequence[type[Any]] | type[Any],
        *,
        shape: Any,
        host: str | None = None,
        tags: Sequence[str] = (),
        scenario: str | None = None,
        request_timeout_s: float = 10.0,
        stop_timeout_s: float = 5.0,
        at_stage: Mapping[str, Callable[[], object]] | None = None,
    ) -> RunResult:
        """Run ``users`` in ``shape`` and return what was measured.

        The run is judged when the test calls ``check()`` on it, else when the test ends.

        Args:
            users: ``LeanHttpUser`` or ``locust.FastHttpUser`` classes.
            shape: ``Stages``, ``Peak``, ``Stress``, ``Soak``, ``Spike``, ``Arrivals``, a sequence of ``Stage``, or a
                ``locust.LoadTestShape``.
            host: Base URL; None takes that of the ``perf_target`` fixture.
            tags: Run only the tasks that carry one of these tags.
            scenario: Entry of the thresholds file; needed where the test's marker names several.
            request_timeout_s: A request without a complete answer by then is a failure.
            stop_timeout_s: How long running requests may take after the end before they count as hung.
            at_stage: What to do when a stage begins, by its name, such as killing a service. It is called in a thread
                of its own and may block; what it raises makes the run invalid.

        Raises:
            BadInput: Something cannot be run as asked; nothing was sent.
            BaselineFileError: The baseline to compare with, or to save in, cannot be read; nothing was sent.
        """
        __tracebackhide__ = True
        if self._is_closed:
            problem = "load() was called after the test's load fixture was torn down, so nobody would judge the run"
            advice = "a fixture that loads in its teardown needs load as an argument"
            raise BadInput([f"{self._item.nodeid}: {problem}; {advice}"])
        limits = self._scenario(scenario)
        _check_target(self._target)
        plan = self._plan(
            users,
            shape,
            host,
            tags=tags,
            request_timeout_s=request_timeout_s,
            stop_timeout_s=stop_timeout_s,
            is_numbered=bool(self._locators) and not self._is_duet,
        )
        actions = dict(at_stage or {})
        _check_stage_names(limits, plan, actions)
        config = self._item.config
        if self._is_duet:
            check_duet_load(plan, limits, host=host, actions=actions)
            with keeping(self._item, limits, is_duet=True) as journal:
                run = play_duet(self._request, plan, limits)
            journal.remove()
            if run.facts.interrupted:
                _pass_on(self._item, run.facts.interrupted)
            return run
        _check_limits(limits, shape)
        saved = read_saved(config, limits.name)
        with keeping(self._item, limits, is_stress=isinstance(shape, Stress)) as journal:
            run, ends, tells = self._run(replace(plan, keep=journal), limits, shape, actions)
        if journal.problem:
            note = f"not kept on disk, so that a crash would have lost it: {journal.problem}"
            run = replace(run, notes=(*run.notes, note))
        slot = RunSlot(run, limits, identify_load(plan, shape, config.getoption("perf_stack")), saved, journal)
        self._item.stash[RUNS].slots.append(slot)
        if run.facts.interrupted:
            slot.judge(self._item)
            _pass_on(self._item, run.facts.interrupted)
        for end in ends:
            try:
                run = run.with_counters(end(run))
            except Exception as error:  # noqa: BLE001 - told as a reason against the run
                run = _with_problem(run, f"counters could not be computed: {type(error).__name__}: {error}")
        run = _located(run, tells)
        slot.run = replace(run, _judge=lambda changed: judge_now(self._item, slot, changed))
        return slot.run

    @property
    def _is_duet(self) -> bool:
        return self._item.config.stash[OPTIONS].duet is not None

    def _scenario(self, name: str | None) -> Scenario:
        declared = self._item.stash[SCENARIOS]
        thresholds = self._item.config.stash.get(THRESHOLDS, None)
        if not is_load_test(self._item) or thresholds is None:
            needs = "a test marked with @pytest.mark.perf that has load, or a fixture with load, as an argument"
            raise BadInput([f"{self._item.nodeid}: load() needs {needs}"])
        if name is None and len(declared) == 1:
            name = declared[0]
        if name is None or name not in declared:
            asked = "no scenario was given" if name is None else f"scenario {name!r} is not named by the test's marker"
            known = unknown_name("scenarios of this test", name or "", declared)
            raise BadInput([f"{self._item.nodeid}: load(): {asked}; {known}"])
        return thresholds.scenarios[name]

    def _plan(self, users: Any, shape: Any, host: str | None, **settings: Any) -> LoadPlan:
        from tailgate.engine import make_plan  # noqa: PLC0415 - Locust is imported only for a load

        if host is None and self._target is not None:
            host = self._target.url
        if host is None:
            classes = users if isinstance(users, Sequence) else [users]
            host = next((cls.host for cls in classes if getattr(cls, "host", None)), None)
        options = self._item.config.stash[OPTIONS]
        return make_plan(
            users,
            shape=shape,
            host=host,
            time_scale=options.time_scale,
            is_host_known=not self._is_duet,
            in_workers=options.workers is not None,
            **settings,
        )

    def _run(
        self, plan: LoadPlan, limits: Scenario, shape: Any, actions: Mapping[str, Callable[[], object]]
    ) -> tuple[RunResult, list[Complete], list[Tell]]:
        from tailgate.announcing import ProgressLine  # noqa: PLC0415 - only for a load
        from tailgate.figures import with_shape_figures  # noqa: PLC0415 - NumPy, likewise
        from tailgate.turns import machine_turn  # noqa: PLC0415
        from tailgate.watching import RunMonitor  # noqa: PLC0415

        config = self._item.config
        line = ProgressLine(config)
        monitor = RunMonitor(
            line=line,
            scenario=limits,
            shape=shape,
            stages=plan.stages,
            actions=actions,
            aborts_on_fail=config.stash[OPTIONS].aborts_on_fail,
        )
        with closing(line), machine_turn(lambda: line.say("waiting: another load runs on this machine")):
            tracer = begin_run(self._item, limits.name, plan.host)  # whose metrics begin now
            plan = replace(plan, tracer=tracer, ui_port=config.stash[OPTIONS].ui_port)
            ends = [begin() for begin in self._observers]
            tells = [begin() for begin in self._locators]
            try:
                run = self._measure(plan, limits, monitor, line.say)
            finally:
                errors = monitor.join_actions()
        facts = replace(run.facts, stack_deaths=deaths_of(self._target), action_errors=errors)
        run = replace(run, is_stress=isinstance(shape, Stress), facts=facts)
        try:
            run = with_shape_figures(run, shape, limits)
        except Exception as error:  # noqa: BLE001 - told as a reason against the run
            run = _with_problem(run, f"the figures of its shape could not be computed: {type(error).__name__}: {error}")
        return run, ends, tells

    def _measure(self, plan: LoadPlan, limits: Scenario, monitor: RunMonitor, say: Callable[[str], None]) -> RunResult:
        """Run the load, in workers if that was asked for."""
        from tailgate.distributing import open_workers  # noqa: PLC0415 - only for a load
        from tailgate.engine import run_load  # noqa: PLC0415 - as above

        run: RunResult | None = None
        try:
            with open_workers(self._item.config, say) as workers:
                run = run_load(
                    plan,
                    test=self._item.nodeid,
                    scenario=limits.name,
                    warmup_s=limits.warmup_s,
                    monitor=monitor,
                    workers=workers,
                )
        except Exception as error:
            if run is None:
                raise
            problem = f"the workers could not be ended: {type(error).__name__}: {error}"
            run = replace(run, facts=replace(run.facts, worker_problems=(*run.facts.worker_problems, problem)))
        return run


def _check_target(target: object) -> None:
    """Refuse a target that could not be asked after the load what died of it."""
    if target is not None and not callable(getattr(target, "check_alive", None)):
        advice = "give it one that returns a sentence for each part that died, or () if nothing is watched"
        raise BadInput([f"load: perf_target: {type(target).__name__!r} has no check_alive(); {advice}"])


def deaths_of(target: Target | None) -> tuple[str, ...]:
    """Return what died; a target that cannot say so costs the run its verdict, but not its figures."""
    try:
        return tuple(target.check_alive()) if target is not None else ()
    except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001 - told as a reason against the run
        return (f"it could not be asked whether the stack is alive: {type(error).__name__}: {error}",)


def _located(run: RunResult, tells: Sequence[Tell]) -> RunResult:
    """Return the run with the time that its requests spent in each tier, if anything tells."""
    if not tells:
        return run
    from tailgate.samples import exact  # noqa: PLC0415 - NumPy only for a load
    from tailgate.tiers import with_tiers  # noqa: PLC0415 - likewise

    try:
        return replace(run, samples=with_tiers(exact(run.samples), chain.from_iterable(tell(run) for tell in tells)))
    except Exception as error:  # noqa: BLE001 - told; it says nothing against what was measured
        note = f"where the time went could not be told: {type(error).__name__}: {error}"
        return replace(run, notes=(*run.notes, note))


def _with_problem(run: RunResult, problem: str) -> RunResult:
    return replace(run, facts=replace(run.facts, action_errors=(*run.facts.action_errors, problem)))


def _check_limits(limits: Scenario, shape: object) -> None:
    """Refuse a scenario without a limit that could fail the run: a run that checks nothing is worth nothing."""
    binding = [limit for limit in limits.thresholds if limit.severity is not Severity.INFO]
    advice = "add a limit, such as total: {failure_ratio: 0.01}"
    if not limits.thresholds:
        problem, advice = "has rules for --perf-duet alone", f"{advice}, or run it with --perf-duet"
    elif not binding:
        problem = "has only limits of severity info"
    elif isinstance(shape, Stress) and all(limit.stage is not None for limit in binding):
        problem = "has limits for the steps of a stress run alone, which fail nothing by themselves"
        advice = f"add counters: {{users_held: {{min: {shape.step_users}}}}}, or as many users as it has to hold"
    else:
        return
    where = f"{limits.source}: $.scenarios.{limits.name}"
    raise BadInput([f"{where}: {problem}, so this run would check nothing; {advice}"])


def _check_stage_names(limits: Scenario, plan: LoadPlan, actions: Mapping[str, object]) -> None:
    """Refuse limits, rules and actions for stages that the shape does not have."""
    names = [stage.name for stage in plan.stages]
    patterns = {limit.stage: limit.source for limit in limits.thresholds if limit.stage is not None}
    patterns |= {rule.stage: rule.source for rule in limits.regressions if rule.stage is not None}
    problems = [
        f"{source}: $.scenarios.{limits.name}.stages.{pattern}: the shape has no such stage; "
        f"{unknown_name('its stages', pattern, names)}"
        for pattern, source in patterns.items()
        if not any(match_name(pattern, name) for name in names)
    ]
    if problems:
        raise ThresholdFileError(problems)
    problems = [
        f"load: at_stage {name!r}: the shape has no such stage; {unknown_name('its stages', name, names)}"
        for name in actions
        if name not in names
    ]
    if problems:
        raise BadInput(problems)


def _pass_on(item: pytest.Item, signal_name: str) -> NoReturn:
    """Do what the signal that ended the run would have done to pytest."""
    if signal_name == "SIGTERM":
        # Not by pytest.exit(returncode=143): pytest shows no summary at the end of a session with such a status.
        item.config.stash[RUN_LOG].exit_status = _SIGTERM_STATUS
        pytest.exit("terminated by SIGTERM")
    raise KeyboardInterrupt
