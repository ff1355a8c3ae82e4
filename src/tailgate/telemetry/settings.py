"""What the standard ``OTEL_*`` variables ask for, checked all at once; nothing here imports OpenTelemetry."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from tailgate.errors import BadInput

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
ALIAS = "OTEL_ENDPOINT"
"""What teams called the variable before there was a standard; the standard one is preferred."""
DEFAULT_SAMPLE_RATIO = 0.01
"""Of the requests; keeps the cost below 5 % of a request's processor time, see docs/telemetry.md."""
_GRPC_NAMES = ("dns:", "unix:", "unix-abstract:", "ipv4:", "ipv6:")
"""What names of gRPC's own begin with, https://github.com/grpc/grpc/blob/master/doc/naming.md."""
_DEFAULT_ENDPOINTS = {"grpc": "http://localhost:4317", "http/protobuf": "http://localhost:4318"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetrySettings:
    """Where telemetry goes, and how much of it.

    Headers, certificates, compression and endpoints of single signals are the exporters' business: they read the
    variables for themselves.
    """

    endpoint: str
    protocol: str
    """``grpc`` or ``http/protobuf``."""
    sample_ratio: float | None
    """Share of requests that get a span whatever becomes of them, in [0, 1]; None makes no spans at all."""
    has_metrics: bool
    timeout_s: float
    """How long one attempt to export may take."""
    most_waiting: int
    """Spans that may wait to be exported; more are dropped and counted."""
    batch_size: int
    """Spans exported at once. Small, because the users' event loop waits while one is made ready."""
    spans_every_s: float
    """Seldom, because each time the event loop may be late: as often as once a second its p99 would show it."""
    metrics_every_s: float


def read_settings(environ: Mapping[str, str], *, is_asked: bool) -> TelemetrySettings | None:
    """Return the settings; None if nobody asked for telemetry, or somebody turned it off.

    Args:
        environ: The environment; an empty variable counts as absent.
        is_asked: Whether the command line asked for telemetry; an endpoint in the environment does so as well.

    Raises:
        BadInput: With every problem.
    """
    given = {name: text.strip() for name, text in environ.items() if name.startswith("OTEL_") and text.strip()}
    variable = ENDPOINT if ENDPOINT in given else ALIAS
    endpoint = given.get(ENDPOINT) or _with_scheme(given.get(ALIAS, ""))
    if not (is_asked or endpoint) or given.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    reader = _Reader(given)
    protocol = reader.choice("OTEL_EXPORTER_OTLP_PROTOCOL", tuple(_DEFAULT_ENDPOINTS))
    reader.check_endpoint(variable, endpoint or _DEFAULT_ENDPOINTS[protocol], protocol)
    has_spans = reader.choice("OTEL_TRACES_EXPORTER", ("otlp", "none")) == "otlp"
    has_metrics = reader.choice("OTEL_METRICS_EXPORTER", ("otlp", "none")) == "otlp"
    ratio = _sample_ratio(reader)
    settings = TelemetrySettings(
        endpoint=endpoint or _DEFAULT_ENDPOINTS[protocol],
        protocol=protocol,
        sample_ratio=ratio if has_spans else None,
        has_metrics=has_metrics,
        timeout_s=reader.number("OTEL_EXPORTER_OTLP_TIMEOUT", 2.0, least=0.001),
        most_waiting=int(reader.number("OTEL_BSP_MAX_QUEUE_SIZE", 10_000, least=1)),
        batch_size=int(reader.number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 32, least=1)),
        spans_every_s=reader.number("OTEL_BSP_SCHEDULE_DELAY", 5000, least=1) / 1000,
        metrics_every_s=reader.number("OTEL_METRIC_EXPORT_INTERVAL", 5000, least=1) / 1000,
    )
    if reader.problems:
        raise BadInput(reader.problems)
    return settings


def _with_scheme(address: str) -> str:
    return address if not address or "://" in address else f"http://{address}"


class _Reader:
    """Reads variables, and collects what is wrong with them."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self._given = given
        self.problems: list[str] = []

    def choice(self, name: str, known: tuple[str, ...]) -> str:
        """Return one of ``known``, the first if nothing is given."""
        text = self._given.get(name, known[0])
        if text not in known:
            self.problems.append(f"{name}: {text!r}, wanted {' or '.join(filter(None, known))}")
            return known[0]
        return text

    def check_endpoint(self, name: str, endpoint: str, protocol: str) -> None:
        """Note an endpoint that nothing could be sent to.

        By gRPC it may be anything that gRPC understands, so also ``HOST:PORT`` without a scheme.

        Source: https://opentelemetry.io/docs/specs/otel/protocol/exporter/#configuration-options
        """
        is_grpc = protocol == "grpc"
        if is_grpc and endpoint.startswith(_GRPC_NAMES):
            return
        has_scheme = "://" in endpoint or endpoint.lower().startswith(("http:", "https:"))
        try:
            parts = urlsplit(endpoint if has_scheme or not is_grpc else f"//{endpoint}")
            is_usable = bool(parts.hostname) and (parts.port is None or parts.port > 0)
        except ValueError:  # a port that is not a number, half an IPv6 address
            is_usable = False
        if not is_usable or parts.scheme not in {"http", "https", "" if is_grpc else "http"}:
            otherwise = ", or HOST:PORT for TLS" if is_grpc else ""
            self.problems.append(
                f"{name}: {endpoint!r}, wanted a URL such as {_DEFAULT_ENDPOINTS[protocol]}{otherwise}"
            )

    def number(self, name: str, default: float, *, least: float, most: float = math.inf) -> float:
        """Return a number from ``least`` to ``most``."""
        text = self._given.get(name, str(default))
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (least <= value <= most and math.isfinite(value)):
            wanted = f"a number from {least:g} to {most:g}" if most < math.inf else f"a number, {least:g} or more"
            self.problems.append(f"{name}: {text!r}, wanted {wanted}")
            return default
        return value


def _sample_ratio(reader: _Reader) -> float | None:
    """Return the share of requests to sample; a test has no parent, so samplers that follow one are like the others."""
    kinds = ("traceidratio", "always_on", "always_off")
    sampler = reader.choice("OTEL_TRACES_SAMPLER", ("", *kinds, *(f"parentbased_{kind}" for kind in kinds)))
    ratio = reader.number("OTEL_TRACES_SAMPLER_ARG", 1.0 if sampler else DEFAULT_SAMPLE_RATIO, least=0, most=1)
    return {"always_on": 1.0, "always_off": None}.get(sampler.removeprefix("parentbased_"), ratio)
