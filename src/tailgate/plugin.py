"""The pytest plugin: hooks and fixtures by name; each topic has a module of its own."""

from __future__ import annotations

import pytest

from tailgate import reporting, telemetering, unpatched, viewing
from tailgate.baselining import pytest_cmdline_main
from tailgate.collecting import pytest_collection_modifyitems, pytest_make_collect_report
from tailgate.composing import perf_compose_project, perf_compose_stack, perf_entry_service
from tailgate.dueting import perf_duet_arm, perf_duet_builds, perf_duet_requirements
from tailgate.judging import pytest_runtest_call, pytest_runtest_setup
from tailgate.loading import load, perf_target
from tailgate.options import OPTIONS, pytest_addoption, pytest_load_initial_conftests, read_options
from tailgate.reporting import (
    pytest_configure_node,
    pytest_runtest_makereport,
    pytest_sessionfinish,
    pytest_terminal_summary,
    pytest_testnodedown,
)
from tailgate.viewing import pytest_sessionstart

# Before any conftest or test module can import Locust.
unpatched.install()


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and refuse wrong options before anything starts."""
    config.addinivalue_line(
        "markers",
        "perf(scenario=None): a load test; scenario names its entry in thresholds.yaml, or several in a list "
        "(default: the test's name without test_)",
    )
    reporting.begin(config)
    config.stash[OPTIONS] = read_options(config)
    telemetering.begin(config)
    viewing.begin(config)


__all__ = [
    "load",
    "perf_compose_project",
    "perf_compose_stack",
    "perf_duet_arm",
    "perf_duet_builds",
    "perf_duet_requirements",
    "perf_entry_service",
    "perf_target",
    "pytest_addoption",
    "pytest_cmdline_main",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_configure_node",
    "pytest_load_initial_conftests",
    "pytest_make_collect_report",
    "pytest_runtest_call",
    "pytest_runtest_makereport",
    "pytest_runtest_setup",
    "pytest_sessionfinish",
    "pytest_sessionstart",
    "pytest_terminal_summary",
    "pytest_testnodedown",
]
