"""What a load run is going to do, checked before anything is sent."""

from __future__ import annotations

import copy
import inspect
import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from gevent import monkey
from locust import LoadTestShape, User
from locust.runners import Runner

from tailgate.engine.monitor import Keep
from tailgate.engine.preflight import check_host, read_host
from tailgate.engine.references import find_unimportable
from tailgate.engine.users import find_open_problems, find_problems
from tailgate.errors import BadInput
from tailgate.model import Stage
from tailgate.shapes import check_stages, is_open, level_at, stretch
from tailgate.tracing import RequestTracer

LOCUST_SHAPE_STAGE = "shape"
"""Name of the one stage that a ``locust.LoadTestShape`` has."""
_MOST_LOCUST_SHAPE_S = 3600.0
_NEVER_PATCHED = ("select", "socket", "ssl", "threading", "time")
"""Modules whose patching by gevent shows that the process is not as the rest of it expects."""
_TICK_S = 0.1


@dataclass(frozen=True, slots=True)
class Level:
    """What a shape asks for at one moment."""

    stage: int
    """Index of the stage."""
    users: int
    user_classes: tuple[type[User], ...] | None = None
    """The only classes to start users of now, beside the users that are there; None allows all."""

    def names_among(self, known: Collection[str]) -> list[str] | None:
        """Return the names of ``user_classes``; None if all are allowed.

        Raises:
            BadInput: Some are not among the names of the run's classes.
        """
        if self.user_classes is None:
            return None
        names = sorted({cls.__name__ for cls in self.user_classes})
        if unknown := [name for name in names if name not in known]:
            of_run = ", ".join(known)
            raise BadInput([f"shape: tick() asks for users of {', '.join(unknown)}; the classes of this run: {of_run}"])
        return names


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """One load run: who, in which shape, against what."""

    user_classes: tuple[type[User], ...]
    stages: tuple[Stage, ...]
    """The shape, stretched; for a ``LoadTestShape`` one stage, whose length and level are known afterwards."""
    locust_shape: Callable[[], LoadTestShape] | None
    """Makes a shape for one run."""
    host: str
    tags: frozenset[str]
    request_timeout_s: float
    stop_timeout_s: float
    time_scale: float
    is_numbered: bool = False
    """Whether each request carries a number, by which servers can tell of it."""
    tracer: RequestTracer | None = None
    """Follows the requests; None leaves them untraced."""
    keep: Keep | None = None
    """Is handed what the run measures while it goes on; None for nobody. Not in a duet."""
    ui_port: int | None = None
    """Where Locust's web UI shows the run; None for nowhere."""

    @property
    def duration_s(self) -> float | None:
        """Length of the shape in seconds; None where only the shape itself knows."""
        return None if self.locust_shape else sum(stage.duration_s for stage in self.stages)

    def pace(self, runner: Runner) -> StagesPace | LocustPace:
        """Return what tells the level at each moment of one run; a shape may ask ``runner`` for its users."""
        if self.locust_shape is not None:
            return LocustPace(self.locust_shape(), self.time_scale, runner)
        return StagesPace(self.stages)


def make_plan(
    users: Sequence[Any] | Any,
    *,
    shape: Any,
    host: str | None,
    tags: Sequence[str] = (),
    request_timeout_s: float = 10.0,
    stop_timeout_s: float = 5.0,
    time_scale: float = 1.0,
    is_numbered: bool = False,
    is_host_known: bool = True,
    in_workers: bool = False,
) -> LoadPlan:
    """Return a plan that can be run.

    Args:
        users: Subclasses of ``locust.User`` (``LeanHttpUser`` for HTTP), or one of them.
        shape: A shape of ``tailgate``, a sequence of ``Stage``, or a ``locust.LoadTestShape``, class or instance.
        host: Base URL of what is loaded, such as ``http://127.0.0.1:8080``.
        tags: Run only the tasks that carry one of these; none runs all.
        request_timeout_s: A request without a complete answer by then is a failure.
        stop_timeout_s: How long running requests may take after the end of the shape before they are censored.
        time_scale: Make the shape this many times as long.
        is_numbered: Give each request a number, as ``X-Request-Id``, by which servers can tell of it.
        is_host_known: Whether the host is asked now whether it answers.
        in_workers: Whether users live in worker processes, which ask the host themselves.

    Raises:
        BadInput: With every problem found.
    """
    user_classes = tuple(users) if isinstance(users, Sequence) and not isinstance(users, str) else (users,)
    wanted_tags = frozenset([tags] if isinstance(tags, str) else tags)
    problems = [*_patched(), *find_problems(user_classes, wanted_tags, is_patched=in_workers)]
    for name, value in {"request_timeout_s": request_timeout_s, "stop_timeout_s": stop_timeout_s}.items():
        if not (isinstance(value, int | float) and math.isfinite(value) and value > 0):
            problems.append(f"load: {name} is {value!r}, wanted a positive number of seconds")
    stages: tuple[Stage, ...] = ()
    locust_shape: Callable[[], LoadTestShape] | None = None
    try:
        stages, locust_shape = _read_shape(shape, time_scale)
    except BadInput as error:
        problems += error.problems
    if in_workers:
        problems += find_unimportable(user_classes)
    if is_open(stages):
        problems += find_open_problems(user_classes)
    try:
        if is_host_known:
            (read_host if in_workers else check_host)(host)
    except BadInput as error:
        problems += error.problems
    if problems:
        raise BadInput(problems)
    return LoadPlan(
        user_classes=user_classes,
        stages=stages,
        locust_shape=locust_shape,
        host=(host or "").rstrip("/"),
        tags=wanted_tags,
        request_timeout_s=request_timeout_s,
        stop_timeout_s=stop_timeout_s,
        time_scale=time_scale,
        is_numbered=is_numbered,
    )


def _patched() -> list[str]:
    patched = [name for name in _NEVER_PATCHED if monkey.is_module_patched(name)]
    if not patched:
        return []
    problem = (
        f"load: gevent has monkey patched this process ({', '.join(patched)}), and pytest with it; take out what calls "
        "gevent.monkey.patch_all(), and import locust only after pytest has loaded its plugins"
    )
    return [problem]


def _read_shape(shape: Any, time_scale: float) -> tuple[tuple[Stage, ...], Callable[[], LoadTestShape] | None]:
    locust_shape: Callable[[], LoadTestShape] | None = None
    if isinstance(shape, LoadTestShape):
        locust_shape = partial(_copy_shape, shape)
    elif isinstance(shape, type) and issubclass(shape, LoadTestShape):
        if inspect.isabstract(shape):
            raise BadInput([f"shape: {shape.__name__} has no tick(); pass a subclass of LoadTestShape that has one"])
        locust_shape = shape
    if locust_shape is not None:
        return (Stage(name=LOCUST_SHAPE_STAGE, duration_s=_MOST_LOCUST_SHAPE_S * time_scale, users=0),), locust_shape
    try:
        # Not by isinstance() with the protocol: before Python 3.12 that computes the stages, outside of this block.
        stages: Any = getattr(shape, "stages", shape)
    except ValueError as error:  # What a stage was given, such as a negative length.
        raise BadInput([f"shape: {type(shape).__name__}: {error}"]) from error
    if not isinstance(stages, Sequence) or not all(isinstance(stage, Stage) for stage in stages):
        known = "Stages, Peak, Stress, Soak, Spike, Arrivals or a locust.LoadTestShape"
        raise BadInput([f"shape: {shape!r} is not a shape; pass {known}"])
    check_stages(stages)
    return stretch(stages, time_scale), None


class StagesPace:
    """Follows stages."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        self._stages = stages
        self._duration_s = sum(stage.duration_s for stage in stages)

    def at(self, elapsed_s: float) -> Level | None:
        """Return what is wanted at ``elapsed_s``; None after the end."""
        if elapsed_s >= self._duration_s:
            return None
        return Level(*level_at(self._stages, elapsed_s))


class LocustPace:
    """Follows a ``LoadTestShape``: asks it ten times a second and moves to its target at its spawn rate."""

    def __init__(self, shape: LoadTestShape, time_scale: float, runner: Runner) -> None:
        shape.runner = runner
        self._shape = shape
        self._scale = time_scale
        self._level = 0.0
        self._asked_at_s: float | None = None
        self._began_s = time.perf_counter()
        self._current: Level | None = None
        shape.reset_time()
        if time_scale != 1:
            run_time: Any = lambda: (time.perf_counter() - self._began_s) / time_scale  # noqa: E731
            shape.get_run_time = run_time  # type: ignore[method-assign] # of this one instance
        self.most_users = 0

    def at(self, elapsed_s: float) -> Level | None:
        """Return what is wanted at ``elapsed_s``; None after the end.

        Raises:
            BadInput: The shape's ``tick`` returned something else than Locust's documentation allows.
        """
        if elapsed_s >= _MOST_LOCUST_SHAPE_S * self._scale:
            raise BadInput([f"shape: {type(self._shape).__name__} did not end within {elapsed_s:.0f} s"])
        if self._asked_at_s is not None and elapsed_s - self._asked_at_s < _TICK_S:
            return self._current
        tick = self._shape.tick()
        if tick is None:
            return None
        users, spawn_rate, classes = _read_tick(self._shape, tick)
        passed_s = elapsed_s - self._asked_at_s if self._asked_at_s is not None else _TICK_S
        step = spawn_rate / self._scale * passed_s
        self._level = min(users, self._level + step) if users >= self._level else max(users, self._level - step)
        self._asked_at_s = elapsed_s
        self.most_users = max(self.most_users, users)
        self._current = Level(0, math.ceil(self._level - 1e-6), classes)
        return self._current


def _copy_shape(shape: LoadTestShape) -> LoadTestShape:
    """Return a copy for one run, so that nothing of that run stays on the original."""
    try:
        return copy.deepcopy(shape)
    except TypeError:  # It holds something that cannot be copied, such as a generator.
        return copy.copy(shape)


def _read_tick(shape: LoadTestShape, tick: Any) -> tuple[int, float, tuple[type[User], ...] | None]:
    try:
        users, spawn_rate, *rest = tick
        if int(users) >= 0 and float(spawn_rate) > 0:
            return int(users), float(spawn_rate), tuple(rest[0]) if rest and rest[0] else None
    except (TypeError, ValueError, OverflowError):
        pass
    name = type(shape).__name__
    raise BadInput([f"shape: {name}.tick() returned {tick!r}, wanted (users >= 0, spawn rate > 0[, user classes])"])


def allocate(
    level: int, weights: Mapping[str, float], fixed: Mapping[str, int], have: Mapping[str, int] | None = None
) -> dict[str, int]:
    """Return how many users of each class make up ``level`` users.

    Classes with a fixed count are filled first, in order. The rest goes by weight, one user after the other to the
    class that is furthest behind (Sainte-Laguë), so a higher level never takes users away from a class.

    Args:
        level: Users in all.
        weights: Weight by class.
        fixed: Fixed count by class.
        have: Users that are there already and stay.

    Source: Balinski and Young 1982, Fair Representation, divisor methods and house monotonicity.
    """
    counts = dict.fromkeys([*fixed, *weights], 0) | dict(have or {})
    left = level - sum(counts.values())
    for name, wanted in fixed.items():
        more = max(0, min(wanted - counts[name], left))
        counts[name] += more
        left -= more
    shares = {name: weight for name, weight in weights.items() if weight > 0}
    for _ in range(left if shares else 0):
        behind = max(shares, key=lambda name: shares[name] / (2 * counts[name] + 1))
        counts[behind] += 1
    return counts
