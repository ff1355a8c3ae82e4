"""A receiver of OTLP, by gRPC and by HTTP, that keeps what arrives.

Run as a program it stands in a container for the collector: it listens where that does, and writes each message as a
line of its standard output, which `Receiver.take_line` understands.
"""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as metrics_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as trace_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as trace_grpc
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanProto

PATIENCE_S = 20


@dataclass(frozen=True)
class ReceivedSpan:
    """A span, with plain values."""

    name: str
    kind: str
    """``client``, ``server``, ``internal``."""
    trace_id: str
    span_id: str
    parent_id: str
    start_ns: int
    end_ns: int
    attributes: dict
    resource: dict
    events: list[tuple[str, dict]]
    is_error: bool
    message: str

    @property
    def took_ms(self) -> float:
        return (self.end_ns - self.start_ns) / 1e6


@dataclass
class Receiver:
    """What arrived so far, and where."""

    grpc_port: int = 0
    http_port: int = 0
    spans: list[ReceivedSpan] = field(default_factory=list)
    points: list[tuple[str, dict, object]] = field(default_factory=list)
    """Data points: the metric's name, the attributes, the message."""
    metric_resources: list[dict] = field(default_factory=list)

    def environment(self, protocol: str) -> dict[str, str]:
        """Return the variables that have telemetry sent here."""
        port = self.grpc_port if protocol == "grpc" else self.http_port
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}", "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}

    def spans_of(self, kind: str, service: str = "tailgate") -> list[ReceivedSpan]:
        return [span for span in self.spans if (span.kind, span.resource["service.name"]) == (kind, service)]

    def points_of(self, metric: str) -> list[tuple[dict, object]]:
        return [(attributes, point) for name, attributes, point in self.points if name == metric]

    def wait_for(self, condition: Callable[[], object]) -> None:
        """Wait for what another process still sends."""
        deadline_s = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline_s, "it never arrived"
            time.sleep(0.02)

    def take_line(self, line: str) -> None:
        """Take a message from the output of the program."""
        kind, _, message = line.partition(" ")
        if kind == "spans":
            self.take_spans(trace_pb2.ExportTraceServiceRequest.FromString(base64.b64decode(message)))

    def take_spans(self, request: trace_pb2.ExportTraceServiceRequest) -> None:
        for resource_spans in request.resource_spans:
            resource = plain(resource_spans.resource.attributes)
            for scope in resource_spans.scope_spans:
                self.spans += [_span(span, resource) for span in scope.spans]

    def take_metrics(self, request: metrics_pb2.ExportMetricsServiceRequest) -> None:
        for resource_metrics in request.resource_metrics:
            self.metric_resources.append(plain(resource_metrics.resource.attributes))
            for scope in resource_metrics.scope_metrics:
                for metric in scope.metrics:
                    data = getattr(metric, metric.WhichOneof("data"))
                    self.points += [(metric.name, plain(point.attributes), point) for point in data.data_points]


def _span(span: SpanProto, resource: dict) -> ReceivedSpan:
    return ReceivedSpan(
        name=span.name,
        kind=SpanProto.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        attributes=plain(span.attributes),
        resource=resource,
        events=[(event.name, plain(event.attributes)) for event in span.events],
        is_error=span.status.code == 2,
        message=span.status.message,
    )


def plain(attributes) -> dict:
    return {item.key: _value(item.value) for item in attributes}


def _value(value: AnyValue) -> object:
    kind = value.WhichOneof("value")
    return [_value(item) for item in value.array_value.values] if kind == "array_value" else getattr(value, kind)


@contextmanager
def running_receiver() -> Iterator[Receiver]:
    """Receive on ports of loopback that the system picks."""
    receiver = Receiver()
    with _grpc_server(receiver, "127.0.0.1:0"), _http_server(receiver, ("127.0.0.1", 0)):
        yield receiver


class _Teller(Receiver):
    """Writes spans instead of keeping them."""

    def take_spans(self, request: trace_pb2.ExportTraceServiceRequest) -> None:
        print("spans", base64.b64encode(request.SerializeToString()).decode(), flush=True)  # noqa: T201 - its only output

    def take_metrics(self, request: metrics_pb2.ExportMetricsServiceRequest) -> None:
        """Take no note."""


@contextmanager
def _grpc_server(receiver: Receiver, address: str) -> Iterator[None]:
    class Traces(trace_grpc.TraceServiceServicer):
        def Export(self, request, context):  # noqa: N802 - the name in the protocol
            receiver.take_spans(request)
            return trace_pb2.ExportTraceServiceResponse()

    class Metrics(metrics_grpc.MetricsServiceServicer):
        def Export(self, request, context):  # noqa: N802 - as above
            receiver.take_metrics(request)
            return metrics_pb2.ExportMetricsServiceResponse()

    with ThreadPoolExecutor(max_workers=2) as threads:
        server = grpc.server(threads)
        trace_grpc.add_TraceServiceServicer_to_server(Traces(), server)
        metrics_grpc.add_MetricsServiceServicer_to_server(Metrics(), server)
        receiver.grpc_port = server.add_insecure_port(address)
        server.start()
        try:
            yield
        finally:
            server.stop(grace=None).wait()


@contextmanager
def _http_server(receiver: Receiver, address: tuple[str, int]) -> Iterator[None]:
    kinds = {
        "/v1/traces": (trace_pb2.ExportTraceServiceRequest, receiver.take_spans),
        "/v1/metrics": (metrics_pb2.ExportMetricsServiceRequest, receiver.take_metrics),
    }

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            message, take = kinds[self.path]
            take(message.FromString(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Write nothing."""

    with ThreadingHTTPServer(address, Handler) as server:
        receiver.http_port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


if __name__ == "__main__":
    with _grpc_server(_Teller(), "0.0.0.0:4317"), _http_server(_Teller(), ("0.0.0.0", 4318)):
        threading.Event().wait()
