"""Settings from the environment, checked all at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from product_service.faults import Faults

PREFIX = "PRODUCT_SERVICE_"
OF_CLIENTS = frozenset({"URL"})
"""Variables with our prefix that tell the simulator where we are; they may be set where an instance is started too."""


class BadSettings(Exception):
    """The environment cannot be used.

    Attributes:
        problems: One message for each thing that is wrong.
    """

    def __init__(self, problems: list[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("product_service cannot start:\n" + "\n".join(f"  {problem}" for problem in problems))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What one instance needs to know."""

    database_url: str
    """``postgresql://user@host:port/database``; the only setting that is required."""
    host: str = "127.0.0.1"
    port: int = 8000
    """0 lets the system pick; the log says which."""
    instance: str = "product-service"
    """Name of this instance, answered as ``X-Instance``."""
    pool_size: int = 8
    """Connections to the database, all opened at the start."""
    acquire_timeout_s: float = 2.0
    """How long a request may wait for a connection until it is answered 503."""
    database_wait_s: float = 30.0
    """How long a start may wait for the database."""
    is_traced: bool = False
    """Whether the standard ``OTEL_*`` variables ask for spans."""
    faults: Faults = field(default_factory=Faults)


def _parse_database_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        is_usable = parts.scheme in {"postgresql", "postgres"} and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable:
        raise ValueError("wanted a URL such as postgresql://user@127.0.0.1:5432/postgres")
    return text


def _parse_header_value(text: str) -> str:
    if not (text.isascii() and text.isprintable()):
        raise ValueError("wanted printable ASCII, since it is sent in a header")
    return text


def _number(low: float, high: float = math.inf) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (low <= value <= high and math.isfinite(value)):
            raise ValueError(f"wanted a number {_render_range(low, high)}")
        return value

    return parse


def _whole_number(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
            raise ValueError(f"wanted a whole number {_render_range(low, high)}")
        return int(text)

    return parse


def _render_range(low: float, high: float) -> str:
    return f"of {low:g} or more" if high == math.inf else f"from {low:g} to {high:g}"


SETTINGS: Mapping[str, Callable[[str], Any]] = {
    "DATABASE_URL": _parse_database_url,
    "HOST": str,
    "PORT": _whole_number(0, 65_535),
    "INSTANCE": _parse_header_value,
    "POOL_SIZE": _whole_number(1, 1000),
    "ACQUIRE_TIMEOUT_S": _number(0.001),
    "DATABASE_WAIT_S": _number(0),
}
FAULTS: Mapping[str, Callable[[str], Any]] = {
    "DELAY_MS": _number(0),
    "CPU_MS": _number(0),
    "ERROR_RATIO": _number(0, 1),
    "STALL_EVERY_S": _number(0),
    "STALL_S": _number(0),
    "SLOWDOWN": _number(0),
}


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read the variables that begin with ``PRODUCT_SERVICE_``; an empty one counts as absent.

    Raises:
        BadSettings: With every problem. An unknown name is one too: a misspelt fault would go unnoticed.
    """
    given = {name.removeprefix(PREFIX): text for name, text in environ.items() if name.startswith(PREFIX) and text}
    given = {name: text for name, text in given.items() if name not in OF_CLIENTS}
    problems: list[str] = []
    settings = _parse(given, SETTINGS, problems)
    faults = _parse(given, FAULTS, problems)
    if "DATABASE_URL" not in given:
        problems.append(
            f"{PREFIX}DATABASE_URL: not set, wanted a URL such as postgresql://user@127.0.0.1:5432/postgres"
        )
    if bool(faults.get("stall_every_s")) != bool(faults.get("stall_s")):
        problems.append(f"{PREFIX}STALL_EVERY_S and {PREFIX}STALL_S: one of them does nothing without the other")
    known = [*SETTINGS, *FAULTS]
    problems += [
        f"{PREFIX}{name}: no such setting, known are {', '.join(known)}" for name in sorted(given) if name not in known
    ]
    if problems:
        raise BadSettings(problems)
    return Settings(**settings, faults=Faults(**faults), is_traced=_asks_for_spans(environ))


def _asks_for_spans(environ: Mapping[str, str]) -> bool:
    is_off = environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or environ.get("OTEL_TRACES_EXPORTER") == "none"
    return bool(environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")) and not is_off


def _parse(
    given: Mapping[str, str], parsers: Mapping[str, Callable[[str], Any]], problems: list[str]
) -> dict[str, Any]:
    values = {}
    for name, parse in parsers.items():
        if name not in given:
            continue
        try:
            values[name.lower()] = parse(given[name])
        except ValueError as error:
            shown = "its value is unusable" if name == "DATABASE_URL" else f"{given[name]!r} is unusable"
            problems.append(f"{PREFIX}{name}: {shown}, {error}")
    return values
