"""Make the user classes of one run: subclasses, so that nothing of a run is left on the originals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

import gevent
from gevent import GreenletExit
from locust import FastHttpUser, HttpUser, TaskSet, User
from locust.clients import HttpSession
from locust.contrib.fasthttp import FastHttpSession

from tailgate.engine.client import track
from tailgate.engine.context import RunContext
from tailgate.engine.http_client import track_http
from tailgate.engine.lean import LeanHttpUser, LeanSession
from tailgate.engine.tracking import RequestTracker


class LoopBlocked(BaseException):
    """A user's code kept the event loop from running; not an ``Exception``, so that the code cannot go on."""


def find_problems(user_classes: Sequence[Any], tags: frozenset[str], *, is_patched: bool = False) -> list[str]:
    """Return what keeps ``user_classes`` from being run with ``tags``, one complete message each.

    ``is_patched`` tells whether they live in processes that gevent has patched.
    """
    if not user_classes:
        return ["load: no user classes were given; pass at least one, such as load([Shopper])"]
    problems = [problem for item in user_classes for problem in _problems_of(item, tags, is_patched=is_patched)]
    names = [item.__name__ for item in user_classes if isinstance(item, type)]
    problems += [
        f"load: {names.count(name)} user classes are called {name}; their names must differ"
        for name in sorted({name for name in names if names.count(name) > 1})
    ]
    users = [item for item in user_classes if isinstance(item, type) and issubclass(item, User)]
    if users and not any(user.weight > 0 or user.fixed_count > 0 for user in users):
        problems.append("load: every user class has weight 0; give at least one a weight or a fixed_count")
    return problems


def find_open_problems(user_classes: Sequence[Any]) -> list[str]:
    """Return what keeps the classes from doing single tasks that arrive at a rate."""
    sets = [
        f"load: {item.__name__} has the task set {member.__name__}, which runs on and on; tasks that arrive at a rate "
        "must be methods or functions"
        for item in user_classes
        for member in dict.fromkeys(getattr(item, "tasks", None) or ())
        if isinstance(member, type)
    ]
    fixed = [
        f"load: {item.__name__} has a fixed_count, which is for users that loop; give it a weight, by which arrivals "
        "are shared out"
        for item in user_classes
        if getattr(item, "fixed_count", 0)
    ]
    return [*sets, *fixed]


def make_run_class(user_class: type[User], tags: frozenset[str], context: RunContext) -> type[User]:
    """Return a subclass for one run, with its own tasks, host, counters and tracking of requests."""

    def __init__(self: User, environment: Any) -> None:  # noqa: N807 - becomes the method of that name
        user_class.__init__(self, environment)
        if not hasattr(self, "environment"):
            raise TypeError("its __init__ does not call super().__init__(environment)")

    def run(self: User) -> None:
        _run_until_ended(self, lambda: user_class.run(self), context)

    own: dict[str, Any] = {
        "__init__": __init__,
        "__module__": user_class.__module__,
        "__doc__": user_class.__doc__,
        "run": run,
        "host": context.host,
        "counters": context.counters,
        "abstract": False,
    }
    if issubclass(user_class, FastHttpUser):
        own |= _timeouts(user_class, context.request_timeout_s)
    if issubclass(user_class, FastHttpUser | HttpUser | LeanHttpUser):
        own["client"] = _tracked_client(context)
    run_class: Any = type(user_class.__name__, (user_class,), own)
    run_class.tasks = select_tasks(user_class.tasks, tags)
    return run_class


def select_tasks(tasks: Sequence[Any], tags: frozenset[str]) -> list[Any]:
    """Return the tasks that carry one of ``tags``, or all when there are none; the originals stay as they are.

    Nested task sets are subclassed where something in them is left out. Locust's own filter edits the classes for
    good (``filter_tasks_by_tags`` in its ``user/task.py``).
    """
    if not tags:
        return list(tasks)
    selected = []
    for task in tasks:
        if not isinstance(task, type):
            if tags & getattr(task, "locust_tag_set", frozenset()):
                selected.append(task)
        elif inner := select_tasks(getattr(task, "tasks", ()), tags):
            subset: Any = type(task.__name__, (task,), {"__module__": task.__module__})
            subset.tasks = inner
            selected.append(subset)
    return selected


def tags_of(tasks: Sequence[Any]) -> set[str]:
    """Return every tag that the tasks carry, those in nested task sets too."""
    found: set[str] = set()
    for task in tasks:
        inner = getattr(task, "tasks", None)
        found |= tags_of(inner) if isinstance(task, type) and inner else getattr(task, "locust_tag_set", set())
    return found


def _problems_of(item: Any, tags: frozenset[str], *, is_patched: bool) -> list[str]:
    if not (isinstance(item, type) and issubclass(item, User)):
        kind = item.__name__ if isinstance(item, type) else repr(item)
        return [f"load: {kind} is not a user class; pass subclasses of tailgate.LeanHttpUser"]
    if issubclass(item, HttpUser) and not is_patched:
        problem = (
            f"load: {item.__name__} is an HttpUser, which needs Locust's monkey patching and would block every "
            "other user in this process; derive it from tailgate.LeanHttpUser, whose client has the same methods, or "
            "run it in worker processes by --perf-workers=2"
        )
        return [problem]
    if not item.tasks:
        return [f"load: {item.__name__} has no tasks; decorate at least one method with @task"]
    if not all((isinstance(task, type) and issubclass(task, TaskSet)) or callable(task) for task in item.tasks):
        return [f"load: {item.__name__}.tasks holds something that cannot be called"]
    if tags and not select_tasks(item.tasks, tags):
        known = ", ".join(sorted(tags_of(item.tasks))) or "none"
        return [f"load: tags {', '.join(sorted(tags))} match no task of {item.__name__}; its tags: {known}"]
    return []


def _timeouts(user_class: type[FastHttpUser], request_timeout_s: float) -> dict[str, float]:
    """Return timeouts of the sockets for a class that left Locust's 60 s alone."""
    names = ("network_timeout", "connection_timeout")
    defaults = {name: getattr(FastHttpUser, name) for name in names}
    return {name: request_timeout_s for name in names if getattr(user_class, name) == defaults[name]}


def _tracked_client(context: RunContext) -> property:
    """Return an attribute that tracks each client it is given, before the user's own code can wrap or use it."""

    def set_client(user: User, client: object) -> None:
        if isinstance(client, FastHttpSession):
            track(client, context)
            context.closing[user].append(client.client.close)
        elif isinstance(client, LeanSession):
            client.tracker = RequestTracker(context, client.user, client.has_header)
            context.closing[user].append(client.close)
        elif isinstance(client, HttpSession):
            track_http(client, context)
        vars(user)["_client"] = client

    return property(attrgetter("_client"), set_client)


def _run_until_ended(user: User, run: Callable[[], None], context: RunContext) -> None:
    """Run a user to its end, record an end that nobody asked for, and close its connections."""
    recorder, kind = context.recorder, type(user).__name__
    cause: BaseException | str = "stopped itself (StopUser or StopTest)"
    try:
        run()
    except KeyboardInterrupt:
        raise
    except GreenletExit:
        cause = "was killed"
    except BaseException as error:  # noqa: BLE001 - also SystemExit and gevent's Timeout; a reason against the run
        cause = error
    finally:
        context.close_sessions_of(user)
    if user not in context.stopping or isinstance(cause, LoopBlocked):
        recorder.user_deaths.add(kind, cause)
    elif isinstance(cause, BaseException):
        recorder.task_exceptions.add(f"{kind}.on_stop", cause)


def is_paced(user_class: type[User]) -> bool:
    """Tell whether the class waits by Locust's ``constant_pacing`` or ``constant_throughput``."""
    wait_time = getattr(user_class, "wait_time", None)
    return getattr(wait_time, "__qualname__", "").startswith(("constant_pacing", "constant_throughput"))


def is_alive(user: User) -> bool:
    """Tell whether the user's greenlet has not ended."""
    greenlet: gevent.Greenlet | None = user.greenlet
    return greenlet is not None and not greenlet.dead
