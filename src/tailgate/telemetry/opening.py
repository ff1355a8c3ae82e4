"""Begin to export: the exporters that the variables ask for, and who we say that we are."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from importlib.metadata import version

from opentelemetry.sdk.metrics.export import MetricExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace.export import SpanExporter

from tailgate.telemetry.delivery import Delivery
from tailgate.telemetry.settings import TelemetrySettings


def open_delivery(settings: TelemetrySettings, attributes: Mapping[str, str]) -> Delivery:
    """Start the thread that exports, from this process.

    Args:
        settings: Where to; the exporters read further variables for themselves.
        attributes: What else the resource says, such as the commit.
    """
    ours = version("pytest-tailgate")
    spans, metrics = _exporters(settings)
    return Delivery(
        settings, make_resource({"service.version": ours, **attributes}), ours, spans=spans, metrics=metrics
    )


def make_resource(attributes: Mapping[str, str]) -> Resource:
    """Return who sends this: what ``OTEL_SERVICE_NAME`` and ``OTEL_RESOURCE_ATTRIBUTES`` say has precedence."""
    own = {"service.name": "tailgate", "service.instance.id": str(uuid.uuid4()), **attributes}
    return Resource.create().merge(Resource(own)).merge(OTELResourceDetector().detect())


def _exporters(settings: TelemetrySettings) -> tuple[SpanExporter, MetricExporter | None]:
    if settings.protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc import metric_exporter, trace_exporter  # noqa: PLC0415
    else:
        from opentelemetry.exporter.otlp.proto.http import (  # type: ignore[no-redef] # noqa: PLC0415
            metric_exporter,
            trace_exporter,
        )
    spans = trace_exporter.OTLPSpanExporter(timeout=settings.timeout_s)
    return spans, metric_exporter.OTLPMetricExporter(timeout=settings.timeout_s) if settings.has_metrics else None
