"""Traces of this instance, sent by OTLP; imported only where the environment asks for them."""

from __future__ import annotations

import os
import threading

from fastapi import FastAPI
from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

TIMEOUT_S = 2.0
"""For one attempt to export, and for the last one when the service ends: no collector holds it up for longer."""
EXCLUDED_URLS = "/health$,/internal/"
"""Asked by the harness, not by users."""


class Telemetry:
    """Makes spans of requests and statements, by the ``OTEL_*`` variables, until it is closed."""

    def __init__(self, app: FastAPI, instance: str) -> None:
        # The conventions of today; without a word the instrumentations keep to those of 2022.
        os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http,database")
        own = Resource({"service.name": "product-service", "service.instance.id": instance})
        self._provider = TracerProvider(
            resource=Resource.create().merge(own).merge(OTELResourceDetector().detect()), shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(_exporter()))
        AsyncPGInstrumentor().instrument(tracer_provider=self._provider)
        FastAPIInstrumentor.instrument_app(
            app,
            tracer_provider=self._provider,
            excluded_urls=EXCLUDED_URLS,
            exclude_spans=["receive", "send"],  # the server span lasts as long as they do
        )

    def close(self) -> None:
        """Send what is left, unless that takes too long."""
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(TIMEOUT_S)


def _exporter() -> SpanExporter:
    if os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc") == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    else:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # type: ignore[assignment] # noqa: PLC0415
            OTLPSpanExporter,
        )
    return OTLPSpanExporter(timeout=TIMEOUT_S)
