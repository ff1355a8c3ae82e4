"""Check the thresholds file against the collected tests, before any load is sent."""

from __future__ import annotations

import difflib
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tailgate.errors import BadInput, ThresholdFileError
from tailgate.model import Scenario, count_of
from tailgate.options import OPTIONS
from tailgate.reporting import RUN_LOG

if TYPE_CHECKING:
    from tailgate.thresholds import Thresholds

THRESHOLDS = pytest.StashKey["Thresholds"]()
SCENARIOS = pytest.StashKey[Sequence[str]]()
_IS_ANY_SKIPPED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Note that a module skipped itself, as by ``pytest.importorskip``: nobody knows which tests it has."""
    report = yield
    if report.skipped:
        collector.config.stash[_IS_ANY_SKIPPED] = True
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> Generator[None, None, None]:
    """Read and check the thresholds file if a load test is going to run."""
    everything = list(items)
    # By itself, and not by its module, its class or a conftest, which may well have other tests.
    marked = [item for item in items if any(mark.name == "perf" for mark in item.own_markers)]
    yield
    # Only now, since a conftest may have marked them or added some; what it left out is among them all the same.
    collected = [item for item in dict.fromkeys([*everything, *items]) if is_load_test(item)]
    is_check_only = config.stash[OPTIONS].is_check_only
    selected = collected if is_check_only else [item for item in items if is_load_test(item)]
    if selected:
        try:
            # A module that could not be collected may have held the tests of any scenario.
            is_whole = not session.testsfailed and _whole_suite_was_collected(config)
            others = [item for item in marked if not is_load_test(item) and (is_check_only or item in items)]
            thresholds = config.stash[THRESHOLDS] = _check(config, collected, selected, others, is_whole=is_whole)
            if config.stash[OPTIONS].duet is not None:
                _select_duets(config, items)
        except BadInput as error:
            _refuse(config, items, str(error))
            return
    elif is_check_only and not session.testsfailed:
        _refuse(config, items, "--perf-check: no load tests were collected; mark them with @pytest.mark.perf")
    if is_check_only:
        items.clear()
        if selected and not session.testsfailed:
            config.stash[RUN_LOG].checked = _checked(thresholds, len(selected))


def is_load_test(item: pytest.Item) -> bool:
    """Tell whether the test is marked ``perf`` and asks for the ``load`` fixture."""
    return item.get_closest_marker("perf") is not None and "load" in getattr(item, "fixturenames", ())


def scenarios_of(item: pytest.Item) -> tuple[str, ...]:
    """Return the scenarios of a test: those of its marker, else its name without ``test_``.

    Raises:
        BadInput: The marker was given something else than a name or names.
    """
    marker = item.get_closest_marker("perf")
    if marker is None or not (marker.args or marker.kwargs):
        return (getattr(item, "originalname", item.name).removeprefix("test_"),)
    given = [*marker.args, *marker.kwargs.values()]
    names = [given[0]] if isinstance(given[0], str) else given[0]
    is_understood = len(given) == 1 and set(marker.kwargs) <= {"scenario"}
    if not (is_understood and isinstance(names, Sequence) and names and all(isinstance(name, str) for name in names)):
        written = [*map(repr, marker.args), *(f"{key}={value!r}" for key, value in marker.kwargs.items())]
        raise BadInput([f"{item.nodeid}: perf({', '.join(written)}), wanted perf(scenario=NAME), one name or a list"])
    return tuple(names)


def unknown_name(kind: str, name: str, known: Sequence[str]) -> str:
    """Return the part of a message that says which names there are, the nearest first."""
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}{kind}: {', '.join(known) or 'none'}"


def _check(
    config: pytest.Config,
    collected: Sequence[pytest.Item],
    selected: Sequence[pytest.Item],
    others: Sequence[pytest.Item],
    *,
    is_whole: bool,
) -> Thresholds:
    from tailgate.thresholds import load_thresholds  # noqa: PLC0415 - jsonschema is imported only for load tests

    if wrong := [problem for item in collected for problem in _wrong_marker(item)]:
        raise BadInput(wrong)
    thresholds = load_thresholds(config.stash[OPTIONS].thresholds)
    problems = [problem for item in selected for problem in _unknown_scenarios(item, thresholds.scenarios)]
    problems += [problem for item in others for problem in _loads_nothing(item, thresholds.scenarios)]
    if is_whole:
        used = {name for item in collected for name in scenarios_of(item)}
        problems += [
            f"{scenario.source}: $.scenarios.{name}: no test has this scenario; "
            f"{unknown_name('scenarios of tests', name, sorted(used))}"
            for name, scenario in thresholds.scenarios.items()
            if name not in used
        ]
    if problems:
        raise ThresholdFileError(problems)
    return thresholds


def _select_duets(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the load tests that have nothing to compare.

    Raises:
        BadInput: None is left.
    """
    scenarios = config.stash[THRESHOLDS].scenarios
    duets = [item for item in items if is_load_test(item) and _compares_all(item, scenarios)]
    if not duets:
        advice = "add to its scenario regression: {metric: p95_ms, max_change_ratio: 0.10}"
        raise BadInput(
            [f"{config.stash[OPTIONS].thresholds.name}: no selected load test has anything to compare; {advice}"]
        )
    others = [item for item in items if is_load_test(item) and item not in duets]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in others]


def _compares_all(item: pytest.Item, scenarios: Mapping[str, Scenario]) -> bool:
    return all(scenarios[name].regressions for name in scenarios_of(item))


def _wrong_marker(item: pytest.Item) -> Sequence[str]:
    try:
        scenarios_of(item)
    except BadInput as error:
        return error.problems
    return ()


def _unknown_scenarios(item: pytest.Item, known: Mapping[str, object]) -> list[str]:
    path = item.config.stash[OPTIONS].thresholds
    return [
        f"{item.nodeid}: scenario {name!r} is not in {path.name}; {unknown_name('scenarios there', name, tuple(known))}"
        for name in scenarios_of(item)
        if name not in known
    ]


def _loads_nothing(item: pytest.Item, known: Mapping[str, object]) -> list[str]:
    """Tell that a marked test has a scenario and loads nothing, so that its limits would pass; warn without scenario.

    What somebody else calls ``perf``, in a session without a load test, never comes here.
    """
    if _wrong_marker(item):
        return []
    advice = "does not use the fixture load, so it loads nothing; add load to its arguments, or mark it otherwise"
    limited = [name for name in scenarios_of(item) if name in known]
    if limited:
        return [f"{item.nodeid}: is marked perf for scenario {', '.join(limited)}, but {advice}"]
    try:
        item.warn(pytest.PytestWarning(f"{item.nodeid}: is marked perf, but {advice}"))
    except pytest.PytestWarning as error:  # Whoever wants warnings to be errors gets it with the others.
        return [str(error)]
    return []


def _whole_suite_was_collected(config: pytest.Config) -> bool:
    """Tell whether no test can have been left out before we saw the list."""
    if any(config.getoption(name, None) for name in ("ignore", "ignore_glob", "lf")):
        return False
    if config.stash.get(_IS_ANY_SKIPPED, False):
        return False
    sources = pytest.Config.ArgsSource
    if config.args_source is sources.ARGS:
        # To check the file against a directory is a wish, to load what is in it is none.
        return config.stash[OPTIONS].is_check_only and all(Path(arg).is_dir() for arg in config.args)
    return config.args_source is sources.TESTPATHS or config.invocation_params.dir == config.rootpath


def _refuse(config: pytest.Config, items: list[pytest.Item], message: str) -> None:
    """End the session with a usage error; an xdist worker has its controller do so."""
    if not hasattr(config, "workerinput"):
        raise pytest.UsageError(message)
    config.stash[RUN_LOG].usage_error = message
    items.clear()


def _checked(thresholds: Thresholds, tests: int) -> str:
    found = tuple(thresholds.scenarios.values())
    what = count_of(sum(len(scenario.thresholds) for scenario in found), "limit")
    if rules := sum(len(scenario.regressions) for scenario in found):
        what += f" and {count_of(rules, 'rule')} for duets"
    return f"{thresholds.name}: {count_of(len(found), 'scenario')} with {what} match {count_of(tests, 'load test')}"
