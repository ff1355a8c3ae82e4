"""Check the thresholds file against the collected tests, before any load is sent."""

from __future__ import annotations

import difflib
from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING

import pytest

from tailgate.errors import ThresholdFileError
from tailgate.options import OPTIONS
from tailgate.reporting import RUN_LOG

if TYPE_CHECKING:
    from tailgate.thresholds import Thresholds

THRESHOLDS = pytest.StashKey["Thresholds"]()
SCENARIOS = pytest.StashKey[Sequence[str]]()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> Generator[None, None, None]:
    """Read and check the thresholds file if a load test is going to run."""
    collected = [item for item in items if is_load_test(item)]
    yield
    options = config.stash[OPTIONS]
    selected = collected if options.is_check_only else [item for item in items if is_load_test(item)]
    if selected:
        try:
            config.stash[THRESHOLDS] = _check(config, collected, selected)
        except ThresholdFileError as error:
            _refuse(config, items, str(error))
    elif options.is_check_only and not session.testsfailed:
        _refuse(config, items, "--perf-check: no load tests were collected; mark them with @pytest.mark.perf")
    if options.is_check_only and selected:
        _report_checked(config, selected)
        items.clear()


def is_load_test(item: pytest.Item) -> bool:
    """Tell whether the test is marked ``perf`` and asks for the ``load`` fixture."""
    return item.get_closest_marker("perf") is not None and "load" in getattr(item, "fixturenames", ())


def scenarios_of(item: pytest.Item) -> tuple[str, ...]:
    """Return the scenarios of a test: those of its marker, else its name without ``test_``."""
    marker = item.get_closest_marker("perf")
    scenario = marker.kwargs.get("scenario", marker.args[0] if marker.args else None) if marker else None
    if scenario is None:
        return (getattr(item, "originalname", item.name).removeprefix("test_"),)
    return (scenario,) if isinstance(scenario, str) else tuple(scenario)


def unknown_name(kind: str, name: str, known: Sequence[str]) -> str:
    """Return the part of a message that says which names there are, the nearest first."""
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}{kind} there: {', '.join(known) or 'none'}"


def _check(config: pytest.Config, collected: Sequence[pytest.Item], selected: Sequence[pytest.Item]) -> Thresholds:
    from tailgate.thresholds import load_thresholds  # noqa: PLC0415 - jsonschema is imported only for load tests

    thresholds = load_thresholds(config.stash[OPTIONS].thresholds)
    problems = [problem for item in selected for problem in _unknown_scenarios(item, thresholds.scenarios)]
    if _whole_suite_was_collected(config):
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


def _unknown_scenarios(item: pytest.Item, known: Mapping[str, object]) -> list[str]:
    path = item.config.stash[OPTIONS].thresholds
    return [
        f"{item.nodeid}: scenario {name!r} is not in {path.name}; {unknown_name('scenarios', name, tuple(known))}"
        for name in scenarios_of(item)
        if name not in known
    ]


def _whole_suite_was_collected(config: pytest.Config) -> bool:
    """Tell whether no test can have been left out before we saw the list."""
    if config.stash[OPTIONS].is_check_only:
        return True
    narrowed = any(config.getoption(name, None) for name in ("ignore", "ignore_glob", "deselect", "lf", "stepwise"))
    return config.args_source is not pytest.Config.ArgsSource.ARGS and not narrowed


def _refuse(config: pytest.Config, items: list[pytest.Item], message: str) -> None:
    """End the session with a usage error; an xdist worker has its controller do so."""
    if not hasattr(config, "workerinput"):
        raise pytest.UsageError(message)
    config.stash[RUN_LOG].usage_error = message
    items.clear()


def _report_checked(config: pytest.Config, selected: Sequence[pytest.Item]) -> None:
    thresholds = config.stash.get(THRESHOLDS, None)
    reporter = config.pluginmanager.getplugin("terminalreporter")
    if thresholds is None or reporter is None:
        return
    count = sum(len(scenario.thresholds) for scenario in thresholds.scenarios.values())
    reporter.write_line("")
    reporter.write_line(
        f"{config.stash[OPTIONS].thresholds.name}: {len(thresholds.scenarios)} scenarios with {count} limits "
        f"match {len(selected)} load tests"
    )
    config.stash[RUN_LOG].is_checked = True
