"""The options that say in which processes users live."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pytest

from tailgate.parsing import read_address, read_number

_MOST_WORKERS = 1000
DEFAULT_BIND = "127.0.0.1:5557"
"""Locust's own port."""
DEFAULT_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOptions:
    """Which worker processes there are to be."""

    count: int
    is_expecting: bool
    """Whether somebody else starts them."""
    host: str
    port: int
    """With ``host``, where pytest listens for those that somebody else starts."""
    timeout_s: float
    """How long those may take to come."""


def add_worker_options(group: Any) -> None:
    """Add them to pytest's options."""
    group.addoption(
        "--perf-workers",
        metavar="N|auto",
        help="let users live in N worker processes instead of this one, auto is one for each core; HttpUser needs it",
    )
    group.addoption(
        "--perf-workers-expect",
        metavar="N",
        help="wait for N workers that 'tailgate worker --master HOST:PORT' starts, on this machine or on others",
    )
    group.addoption(
        "--perf-bind",
        metavar="HOST:PORT",
        help=f"where to listen for the workers of --perf-workers-expect (default: {DEFAULT_BIND})",
    )
    group.addoption(
        "--perf-workers-timeout",
        metavar="SECONDS",
        help=f"how long the workers of --perf-workers-expect may take to come (default: {DEFAULT_TIMEOUT_S:g})",
    )


def read_worker_options(config: pytest.Config) -> WorkerOptions | None:
    """Return what they say; None where users live in this process.

    Raises:
        pytest.UsageError: One of them cannot be used, or two of them not together.
    """
    started, expected = config.getoption("perf_workers"), config.getoption("perf_workers_expect")
    given = {name: config.getoption(name) for name in ("perf_bind", "perf_workers_timeout")}
    if expected is None:
        for name in [name for name, value in given.items() if value is not None]:
            raise pytest.UsageError(f"--{name.replace('_', '-')}: is for --perf-workers-expect=N; give that as well")
    if started is None and expected is None:
        return None
    if started is not None and expected is not None:
        raise pytest.UsageError("--perf-workers: cannot be given with --perf-workers-expect; give one of them")
    _check_alone(config, "--perf-workers" if expected is None else "--perf-workers-expect")
    host, port = _address(given["perf_bind"] or DEFAULT_BIND)
    return WorkerOptions(
        count=_count_started(started) if expected is None else _count("--perf-workers-expect", expected),
        is_expecting=expected is not None,
        host=host,
        port=port,
        timeout_s=_timeout_s(given["perf_workers_timeout"]),
    )


def _check_alone(config: pytest.Config, option: str) -> None:
    """Refuse what workers cannot do."""
    refused = {
        "--perf-duet": "whose two arms share one process, so that its noise hits both",
        "--perf-ui": "which shows the users of one process",
    }
    for other, why in refused.items():
        if config.getoption(other.removeprefix("--").replace("-", "_")) is not None:
            raise pytest.UsageError(f"{option}: cannot be given with {other}, {why}")
    if config.getoption("perf_otel"):
        raise pytest.UsageError(f"{option}: cannot be given with --perf-otel, which follows requests of one process")


def _count_started(text: str) -> int:
    if text != "auto":
        return _count("--perf-workers", text)
    from tailgate.container import count_cores  # noqa: PLC0415 - only if asked for

    return count_cores()


def _count(option: str, text: str) -> int:
    if text.isascii() and text.isdigit() and 0 < int(text) <= _MOST_WORKERS:
        return int(text)
    also = " or auto" if option == "--perf-workers" else ""
    raise pytest.UsageError(
        f"{option}: {text!r}, wanted 1 to {_MOST_WORKERS}{also}; give paths before it, or write {option}=N"
    )


def _address(text: str) -> tuple[str, int]:
    address = read_address(text)
    if address is None:
        raise pytest.UsageError(f"--perf-bind: {text!r}, wanted HOST:PORT, such as {DEFAULT_BIND} or 0.0.0.0:5557")
    return address


def _timeout_s(text: str | None) -> float:
    timeout_s = DEFAULT_TIMEOUT_S if text is None else read_number(text)
    if not 0 < timeout_s < math.inf:
        raise pytest.UsageError(f"--perf-workers-timeout: {text!r}, wanted a positive number of seconds")
    return timeout_s
