"""Receive OTLP by gRPC and forget it; prints the port, and ends when its standard input does."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import add_MetricsServiceServicer_to_server
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import add_TraceServiceServicer_to_server


class Traces:
    """Takes spans."""

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - the name in the protocol
        """Take them, and keep nothing."""
        del request, context
        return trace.ExportTraceServiceResponse()


class Metrics:
    """Takes metrics."""

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - as above
        """Take them, and keep nothing."""
        del request, context
        return metrics.ExportMetricsServiceResponse()


if __name__ == "__main__":
    server = grpc.server(ThreadPoolExecutor(max_workers=2))
    add_TraceServiceServicer_to_server(Traces(), server)
    add_MetricsServiceServicer_to_server(Metrics(), server)
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    sys.stdin.read()
    server.stop(grace=None)
