"""Make spans of what is over: requests and tests, with the ids that were chosen and the times that were measured."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)
from opentelemetry.util.types import AttributeValue

from tailgate.model import Check, Verdict, printable
from tailgate.telemetry.recording import KeptRequest, RunIdentity

SCOPE = "tailgate"
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_AN_ID = re.compile(r"\d+|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_WORST_FIRST = (Verdict.INVALID, Verdict.FAIL, Verdict.WARN, Verdict.PASS)


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedTest:
    """A test that is over, with what became of its runs."""

    name: str
    """Node id."""
    trace_id: int
    span_id: int
    began: float
    """Wall clock."""
    ended: float
    failure: str | None
    """Why it failed; None if it passed or was skipped."""
    runs: Sequence[JudgedRun]


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedRun:
    """A run with its verdict."""

    scenario: str
    verdict: Verdict
    checks: Sequence[Check]


class _ChosenIds(IdGenerator):
    """Gives the next span the ids that were chosen for it before: the servers know them already."""

    trace_id = span_id = 0

    def generate_span_id(self) -> int:
        return self.span_id

    def generate_trace_id(self) -> int:
        return self.trace_id


class SpanMaker:
    """Makes spans; used by one thread."""

    def __init__(self, resource: Resource, version: str) -> None:
        self._ids = _ChosenIds()
        # What is to become a span was decided before, and nothing of this provider is global.
        provider = TracerProvider(
            sampler=ALWAYS_ON,
            resource=resource,
            id_generator=self._ids,
            span_limits=SpanLimits(max_events=SpanLimits.UNSET),  # however many checks a test has, each is told
            shutdown_on_exit=False,
        )
        self._tracer = provider.get_tracer(SCOPE, version)

    def request_span(self, run: RunIdentity, kept: KeptRequest) -> ReadableSpan:
        """Return the client span of a request, a child of its test's span."""
        request = kept.request
        self._ids.span_id = request.span_id
        parent = SpanContext(run.trace_id, run.test_span_id, is_remote=False, trace_flags=_SAMPLED)
        span = self._tracer.start_span(
            printable(f"{request.method} {request.name}"),
            context=set_span_in_context(NonRecordingSpan(parent), Context()),
            kind=SpanKind.CLIENT,
            attributes=printable_values(_request_attributes(run, kept)),
            start_time=_ns(request.sent),
        )
        if kept.error_type is not None:
            span.set_status(StatusCode.ERROR, printable(kept.message))
        return _ended(span, request.sent + request.took_ms / 1000)

    def test_span(self, test: FinishedTest) -> ReadableSpan:
        """Return the root span of a test, with its verdict and one event a check."""
        self._ids.trace_id, self._ids.span_id = test.trace_id, test.span_id
        attributes: dict[str, AttributeValue] = {
            "test.case.name": test.name,
            "test.case.result.status": "pass" if test.failure is None else "fail",
            "tailgate.scenario": [run.scenario for run in test.runs],
        }
        if test.runs:
            attributes["tailgate.verdict"] = min((run.verdict for run in test.runs), key=_WORST_FIRST.index).value
        span = self._tracer.start_span(
            printable(test.name),
            context=Context(),
            attributes=printable_values(attributes),
            start_time=_ns(test.began),
        )
        for run in test.runs:
            for check in run.checks:
                values = printable_values(_check_attributes(run, check))
                span.add_event("tailgate.check", values, timestamp=_ns(test.ended))
        if test.failure is not None:
            span.set_status(StatusCode.ERROR, printable(test.failure))
        return _ended(span, test.ended)


def url_template(name: str, path: str) -> str:
    """Return the request's name if it is a path, as in ``/products/{id}``, else the path with numbers and UUIDs cut."""
    if name.startswith("/"):
        return name
    return "/".join("{id}" if _AN_ID.fullmatch(part) else part for part in path.split("/")) or "/"


def authority_of(url: str) -> str:
    """Return ``host:port`` as it stands in an absolute URL."""
    return url.split("/", 3)[2].rpartition("@")[2]


def server_attributes(url: str) -> dict[str, AttributeValue]:
    """Return ``server.address`` and ``server.port``; a user may have asked for what is no address."""
    authority = authority_of(url)
    try:
        parts = urlsplit(f"//{authority}")
        port = parts.port or _DEFAULT_PORTS.get(url.partition(":")[0], 0)
    except ValueError:
        return {"server.address": authority}
    return {"server.address": parts.hostname or "", "server.port": port}


def printable_values(attributes: Mapping[str, AttributeValue]) -> dict[str, AttributeValue]:
    """Return attributes whose texts fit UTF-8: one that does not would take all that is sent with it along."""
    return {name: printable(value) if isinstance(value, str) else value for name, value in attributes.items()}


def _request_attributes(run: RunIdentity, kept: KeptRequest) -> Mapping[str, AttributeValue]:
    """Return attributes by the conventions for HTTP clients, and a few of our own.

    Source: https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-client-span
    """
    request, host = kept.request, authority_of(kept.request.url)
    scheme, _, rest = request.url.partition("://")
    authority, slash, path = rest.partition("/")
    secret = "" if host == authority else "REDACTED:REDACTED@"
    attributes: dict[str, AttributeValue] = {
        "http.request.method": request.method,
        "url.full": f"{scheme}://{secret}{host}{slash}{path}",
        "url.template": url_template(request.name, slash + path.partition("?")[0]),
        **server_attributes(request.url),
        "tailgate.request.name": request.name,
        "tailgate.scenario": run.scenario,
        "test.case.name": run.test,
    }
    if request.status is not None:
        attributes["http.response.status_code"] = request.status
    if kept.error_type is not None:
        attributes["error.type"] = kept.error_type
    if request.due is not None:
        attributes["tailgate.request.due_at"] = datetime.fromtimestamp(request.due, UTC).isoformat()
    return attributes


def _check_attributes(run: JudgedRun, check: Check) -> Mapping[str, AttributeValue]:
    attributes: dict[str, AttributeValue] = {
        "tailgate.scenario": run.scenario,
        "tailgate.check.subject": check.subject,
        "tailgate.check.window": check.window,
        "tailgate.check.metric": check.threshold.metric,
        "tailgate.check.limit": check.threshold.limit,
        "tailgate.check.samples": check.samples,
        "tailgate.check.outcome": check.outcome.value,
        "tailgate.check.severity": check.severity.value,
        "tailgate.check.message": str(check),
    }
    if check.actual is not None:
        attributes["tailgate.check.actual"] = check.actual
    return attributes


def _ended(span: Span, ended: float) -> ReadableSpan:
    assert isinstance(span, ReadableSpan)  # since the sampler takes everything
    span.end(_ns(ended))
    return span


def _ns(at: float) -> int:
    return int(at * 1e9)
