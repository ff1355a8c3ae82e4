"""The product suite with telemetry: spans of clients, services and statements make one trace, with the right times."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.otlp_receiver import ReceivedSpan, Receiver, running_receiver

ROOT = Path(__file__).parents[2]
SERVICE = "product-service"
EXACT_MS = 0.002
"""A time since 1970 in seconds, which Locust notes, is exact to 0.24 µs."""


@dataclass(frozen=True)
class Traced:
    """A session with telemetry that is over, and what was received."""

    receiver: Receiver
    samples: list[tuple[str, float, float]]
    """Key, start after the beginning in s, latency in ms, of each request that was recorded."""
    output: str

    @property
    def requests(self) -> list[ReceivedSpan]:
        return self.receiver.spans_of("client")

    def parents(self) -> dict[str, ReceivedSpan]:
        return {span.span_id: span for span in self.receiver.spans}


def load_product_suite(folder: Path, receiver: Receiver, *arguments: str, **environment: str) -> Traced:
    """Run ``test_peak`` for two seconds; every request is sampled."""
    command = [sys.executable, "-m", "pytest", "-m", "perf", "perf_tests/test_peak.py", "--perf-time-scale=0.15"]
    command += ["-p", "no:cacheprovider", "-p", "tests.acceptance.sample_dump", *arguments]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "OTEL_"))}
    environment = {"OTEL_TRACES_SAMPLER": "always_on", "SAMPLE_DUMP": str(folder / "samples"), **environment}
    done = subprocess.run(
        command, cwd=ROOT, env=inherited | environment, capture_output=True, text=True, timeout=240, check=False
    )
    # So short a run of a busy machine may break a limit; here only the telemetry of it counts.
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    return Traced(receiver, json.loads((folder / "samples").read_text()), done.stdout)


@pytest.fixture(scope="module", params=["grpc", "http/protobuf"])
def traced(request, tmp_path_factory):
    with running_receiver() as receiver:
        folder = tmp_path_factory.mktemp("traced")
        config = folder / "config.yaml"
        config.write_text("scenario_weights: {buy_edge_case: 20}\n")  # some purchases are refused in two seconds
        environment = {**receiver.environment(request.param), "SIMULATOR_CONFIG": str(config)}
        yield load_product_suite(folder, receiver, **environment)


def check_durations(traced: Traced) -> None:
    """Check that spans are the recorded samples, no more and no fewer, each with its own times."""
    spans = sorted((span.name, span.took_ms) for span in traced.requests)
    samples = sorted((key, latency_ms) for key, _, latency_ms in traced.samples)
    assert [name for name, _ in spans] == [key for key, _ in samples]
    assert [took_ms for _, took_ms in spans] == pytest.approx([took_ms for _, took_ms in samples], abs=EXACT_MS)
    spans_s = sorted(span.start_ns / 1e9 for span in traced.requests)
    starts_s = sorted(start_s for _, start_s, _ in traced.samples)
    assert [at - spans_s[0] for at in spans_s] == pytest.approx([at - starts_s[0] for at in starts_s], abs=1e-5)


def check_trace(traced: Traced) -> None:
    """Check that each request has the service's span below it, that one its statements, and that times are nested."""
    (test,) = traced.receiver.spans_of("internal")
    assert {span.trace_id for span in traced.receiver.spans} == {test.trace_id}
    assert {span.parent_id for span in traced.requests} == {test.span_id}
    parents = traced.parents()
    servers = traced.receiver.spans_of("server", SERVICE)
    assert sorted(span.parent_id for span in servers) == sorted(span.span_id for span in traced.requests)
    statements = traced.receiver.spans_of("client", SERVICE)
    assert {parents[span.parent_id].kind for span in statements} == {"server"}
    for server in servers:
        # It ends when the service has nothing left to do, and its client may have read the answer by then.
        assert parents[server.parent_id].start_ns <= server.start_ns <= parents[server.parent_id].end_ns
    for statement in statements:
        server = parents[statement.parent_id]
        assert server.start_ns <= statement.start_ns <= statement.end_ns <= server.end_ns


def test_every_sample_is_a_span_with_the_recorded_times(traced):
    check_durations(traced)


def test_clients_services_and_statements_make_one_trace(traced):
    check_trace(traced)


def test_both_services_tell_who_they_are_and_keep_to_the_conventions(traced):
    servers = traced.receiver.spans_of("server", SERVICE)
    assert {span.resource["service.instance.id"] for span in servers} == {"product-service-1", "product-service-2"}
    assert {(span.attributes["http.request.method"], span.attributes["http.route"]) for span in servers} >= {
        ("GET", "/products"),
        ("POST", "/products/details"),
    }
    statements = traced.receiver.spans_of("client", SERVICE)
    assert {span.attributes["db.system.name"] for span in statements} == {"postgresql"}


def test_a_purchase_that_was_refused_as_expected_is_no_error(traced):
    refused = [span for span in traced.requests if span.attributes["http.response.status_code"] == 409]
    assert refused
    assert not any(span.is_error for span in traced.requests)
