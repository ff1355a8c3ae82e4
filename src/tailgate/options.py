"""Command-line options, read once into one value."""

from __future__ import annotations

import math
import os
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tailgate.errors import TailgateError
from tailgate.parsing import LAST_PORT, read_number
from tailgate.worker_options import WorkerOptions, add_worker_options, read_worker_options


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line asked for."""

    thresholds: Path
    json: Path | None
    summary: Path | None
    is_summary_shared: bool
    """Whether the summary is GitHub's own file, to which every step appends."""
    time_scale: float
    is_check_only: bool
    aborts_on_fail: bool
    save: str | None
    """Name of the baseline to save runs under."""
    compare: str | None
    """Name of the baseline to compare runs with."""
    is_strict: bool
    """Whether a comparison that decides nothing fails."""
    duet: str | None
    """What to play a duet against: a git ref, ``.``, an image, or two URLs."""
    injected_ratio: float
    """By how much the candidate of a duet is made slower, on paper, to try the gate."""
    ui_port: int | None
    """Where loads show themselves; 0 until the system has picked one, None for nowhere."""
    workers: WorkerOptions | None
    """In which processes users live; None for pytest's own."""


OPTIONS = pytest.StashKey[Options]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options; all begin with ``--perf``."""
    group = parser.getgroup("perf", "load tests (tailgate)")
    group.addoption(
        "--perf-stack",
        default="embedded",
        metavar="embedded|docker|URL",
        help="what to load: a stack started for the session, containers, or a running service at URL",
    )
    group.addoption(
        "--perf-thresholds",
        metavar="PATH",
        help="limits to judge by (default: thresholds.yaml in the root directory)",
    )
    group.addoption("--perf-time-scale", default="1", metavar="N", help="make every shape N times as long (default: 1)")
    group.addoption("--perf-json", metavar="PATH", help="write all runs with their verdicts to PATH")
    group.addoption(
        "--perf-summary",
        metavar="PATH",
        help="write all runs as Markdown to PATH (default: append to $GITHUB_STEP_SUMMARY, if set; '' for none)",
    )
    group.addoption(
        "--perf-check",
        action="store_true",
        help="check the thresholds file against the tests, without stack or load, and stop",
    )
    group.addoption(
        "--perf-abort-on-fail",
        action="store_true",
        help="end a run early when its failure budget can no longer be kept",
    )
    for option, what in {"--perf-save": "save passing runs as", "--perf-compare": "judge runs beside"}.items():
        group.addoption(
            option, nargs="?", const="default", metavar="=NAME", help=f"{what} baseline NAME (default: default)"
        )
    group.addoption(
        "--perf-otel",
        action="store_true",
        help="send spans and metrics to an OpenTelemetry collector (default: if $OTEL_EXPORTER_OTLP_ENDPOINT is set)",
    )
    group.addoption(
        "--perf-ui",
        nargs="?",
        const="0",
        metavar="=PORT",
        help="show each load in Locust's web UI on PORT of 127.0.0.1 (default: one that is free), to look at only",
    )
    add_worker_options(group)
    group.addoption("--perf-list", action="store_true", help="show the saved baselines, and stop")
    group.addoption("--perf-strict", action="store_true", help="let a comparison that decides nothing fail")
    group.addoption(
        "--perf-duet",
        metavar="REF",
        help="load this build and a baseline side by side: the build of a git ref, '.' (this build itself), an image "
        "with --perf-stack=docker, or BASELINE_URL,CANDIDATE_URL",
    )
    group.addoption(
        "--perf-inject",
        default="0",
        metavar="RATIO",
        help="try a duet: judge it as if the candidate were slower by RATIO, such as 0.2",
    )


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests() -> Generator[None, object, object]:
    """Explain the one clash that comes with Locust: its own pytest plugin adds ``--host`` to every session.

    Raises:
        pytest.UsageError: A conftest adds that option as well.
    """
    try:
        return (yield)
    except ValueError as error:
        if "already added" in str(error) and "--host" in str(error):
            raise pytest.UsageError(
                "a conftest.py adds the option --host, which Locust's pytest plugin has added already; "
                "turn that plugin off with -p no:locust, for good under addopts in the configuration of pytest"
            ) from error
        raise


def read_options(config: pytest.Config) -> Options:
    """Return the options, checked before anything starts.

    Raises:
        pytest.UsageError: One of them cannot be used.
    """
    json, summary = config.getoption("perf_json"), config.getoption("perf_summary")
    shared = os.environ.get("GITHUB_STEP_SUMMARY")
    summary_or_shared = shared if summary is None else summary
    options = Options(
        thresholds=_thresholds_path(config),
        json=config.invocation_params.dir / json if json else None,
        summary=config.invocation_params.dir / summary_or_shared if summary_or_shared else None,
        is_summary_shared=summary_or_shared == shared,
        time_scale=_time_scale(config.getoption("perf_time_scale")),
        is_check_only=config.getoption("perf_check"),
        aborts_on_fail=config.getoption("perf_abort_on_fail"),
        save=_baseline_name(config, "--perf-save"),
        compare=_baseline_name(config, "--perf-compare"),
        is_strict=config.getoption("perf_strict"),
        duet=config.getoption("perf_duet"),
        injected_ratio=_injected_ratio(config),
        ui_port=_ui_port(config),
        workers=read_worker_options(config),
    )
    _check_duet(config, options)
    _check_stack(config.getoption("perf_stack"))
    if not hasattr(config, "workerinput"):
        # GitHub's own file is not asked for, so it must not stand in the way of a session that loads nothing.
        _check_distinct(config, options, "--perf-summary" if summary else "$GITHUB_STEP_SUMMARY")
        _check_writable("--perf-json", options.json, "JSON report")
        _check_writable("--perf-summary", options.summary if summary else None, "summary")
    return options


def _baseline_name(config: pytest.Config, option: str) -> str | None:
    name: str | None = config.getoption(option.removeprefix("--").replace("-", "_"))
    if name is None:
        return None
    from tailgate.baseline_store import BaselineStore, check_name  # noqa: PLC0415 - only if asked for

    _check_not_a_path(config, option, name)
    try:
        check_name(name)
        if option == "--perf-save" and not hasattr(config, "workerinput"):
            BaselineStore(config.rootpath).check_writable(name)
    except TailgateError as error:
        raise pytest.UsageError(f"{option}: {error}") from error
    return name


def _check_not_a_path(config: pytest.Config, option: str, name: str) -> None:
    """Refuse ``--perf-save tests``: the option would take the path for its name, and every test would be run."""
    given = (*config.invocation_params.args, *config.getini("addopts"))
    path = config.invocation_params.dir / name.partition("::")[0]
    if f"{option}={name}" not in given and path.exists():
        raise pytest.UsageError(
            f"{option}: took the path {name!r} for its name; give paths before it, or write {option}=NAME"
        )


def _check_distinct(config: pytest.Config, options: Options, summary: str) -> None:
    """Refuse reports that would overwrite one another, or the limits; also those of pytest and of pytest-html."""
    from tailgate.reports.files import check_distinct  # noqa: PLC0415 - as the others

    directory = config.invocation_params.dir
    others = {"--junitxml": config.getoption("xmlpath", None), "--html": config.getoption("htmlpath", None)}
    paths = {"the thresholds": options.thresholds, "--perf-json": options.json, summary: options.summary}
    for option, given in others.items():
        paths[option] = directory / Path(os.path.expandvars(given)).expanduser() if given else None
    try:
        check_distinct(paths)
    except TailgateError as error:
        raise pytest.UsageError(str(error)) from error


def _check_writable(option: str, path: Path | None, what: str) -> None:
    if path is None:
        return
    from tailgate.reports.files import check_writable  # noqa: PLC0415 - only if asked for

    try:
        check_writable(path, what)
    except TailgateError as error:
        raise pytest.UsageError(f"{option}: {error}") from error


def _thresholds_path(config: pytest.Config) -> Path:
    given = config.getoption("perf_thresholds")
    return config.invocation_params.dir / given if given else config.rootpath / "thresholds.yaml"


def _time_scale(text: str) -> float:
    scale = read_number(text)
    if not 0 < scale < math.inf:
        raise pytest.UsageError(f"--perf-time-scale: {text!r}, wanted a positive number")
    return scale


def _injected_ratio(config: pytest.Config) -> float:
    text = config.getoption("perf_inject")
    ratio = read_number(text)
    if not 0 <= ratio < math.inf:
        raise pytest.UsageError(f"--perf-inject: {text!r}, wanted a ratio, 0 or more, such as 0.2 for 20 % slower")
    if ratio and config.getoption("perf_duet") is None:
        raise pytest.UsageError("--perf-inject: is for a duet only; give --perf-duet=REF as well")
    return ratio


def _ui_port(config: pytest.Config) -> int | None:
    text = config.getoption("perf_ui")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and int(text) <= LAST_PORT):
        raise pytest.UsageError(f"--perf-ui: {text!r}, wanted a port; give paths before it, or write --perf-ui=PORT")
    return int(text)


def _check_duet(config: pytest.Config, options: Options) -> None:
    """Refuse a baseline that does not exist, and what a duet cannot do at the same time."""
    if options.duet is None:
        return
    if options.ui_port is not None:
        raise pytest.UsageError("--perf-duet: cannot be given with --perf-ui, which shows one run, and a duet is two")
    others = {"--perf-save": options.save is not None, "--perf-compare": options.compare is not None}
    for name in [name for name, is_given in others.items() if is_given]:
        raise pytest.UsageError(
            f"--perf-duet: cannot be given with {name}: a duet has its baseline beside it; run pytest once for each"
        )
    from tailgate.stack.builds import check_reference  # noqa: PLC0415 - only in a duet

    try:
        check_reference(options.duet, root=config.rootpath, stack=config.getoption("perf_stack"))
    except TailgateError as error:
        raise pytest.UsageError(f"--perf-duet: {error}") from error


def _check_stack(stack: str) -> None:
    if stack in {"embedded", "docker"}:
        return
    try:
        url = urlsplit(stack)
        is_base = url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0
    except ValueError:  # Half an IPv6 address, or a port that is none.
        is_base = False
    if not is_base:
        raise pytest.UsageError(
            f"--perf-stack: {stack!r}, wanted embedded, docker, or a URL such as http://127.0.0.1:8080"
        )
