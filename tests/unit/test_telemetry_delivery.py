"""What arrives is counted as sent, and everything else as lost."""

from __future__ import annotations

import logging
import threading
from array import array
from dataclasses import replace
from types import SimpleNamespace

import pytest
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tailgate.model import Check, CheckOutcome, Threshold, Verdict
from tailgate.telemetry.delivery import Delivered, Delivery
from tailgate.telemetry.recording import KeptRequest, Kind, Notes
from tailgate.telemetry.settings import read_settings
from tailgate.telemetry.spans import FinishedTest, JudgedRun
from tests.unit.telemetry_examples import RUN, kept, notes


def delivered(*, sent=0, lost=0, reason=""):
    return Delivered(where="http://localhost:4317 (grpc)", sent=sent, lost=lost, failed_metrics=0, reason=reason)


class Failing(SpanExporter):
    """Fails as the real ones do: it logs why, and says only that."""

    def export(self, spans):
        logging.getLogger("opentelemetry.exporter.otlp").error("connection\nrefused")
        return SpanExportResult.FAILURE


class Raising(SpanExporter):
    def export(self, spans):
        raise ValueError("no such span")


class Stuck(SpanExporter):
    """Is busy until it is shut down."""

    def __init__(self):
        self.began, self.shut = threading.Event(), threading.Event()

    def export(self, spans):
        self.began.set()
        self.shut.wait()
        return SpanExportResult.FAILURE

    def shutdown(self):
        self.shut.set()


class Metrics(MetricExporter):
    def __init__(self, result=MetricExportResult.SUCCESS):
        super().__init__()
        self.result = result
        self.taken = []

    def export(self, metrics_data, timeout_millis=10_000, **kwargs):
        self.taken.append(metrics_data)
        return self.result

    def force_flush(self, timeout_millis=10_000):
        return True

    def shutdown(self, timeout_millis=30_000, **kwargs):
        pass


@pytest.fixture
def deliver():
    """Start a delivery by an exporter; settings by their variables."""

    def deliver(spans, metrics=None, **variables):
        variables = {"OTEL_EXPORTER_OTLP_TIMEOUT": "0.2", **variables}
        settings = read_settings(variables, is_asked=True)
        return Delivery(settings, Resource({}), "1.0", spans=spans, metrics=metrics)

    return deliver


def test_spans_are_exported_in_portions_and_counted(deliver):
    exporter = InMemorySpanExporter()
    delivery = deliver(exporter, OTEL_BSP_MAX_EXPORT_BATCH_SIZE="2")
    delivery.put(notes(kept(1), kept(2), kept(3)))
    delivery.put(notes(kept(4)))
    assert delivery.close() == delivered(sent=4)
    assert [span.context.span_id for span in exporter.get_finished_spans()] == [1, 2, 3, 4]


def test_what_an_exporter_cannot_send_is_lost_and_the_reason_is_what_it_logs(deliver, caplog):
    delivery = deliver(Failing())
    delivery.put(notes(kept(), kept()))
    assert delivery.close() == delivered(lost=2, reason="connection refused")
    assert caplog.records == []


def test_other_threads_exporters_log_as_ever(deliver, caplog):
    delivery = deliver(InMemorySpanExporter())
    logging.getLogger("opentelemetry.exporter.otlp").error("somebody else's")
    assert delivery.close().reason == ""
    assert [record.getMessage() for record in caplog.records] == ["somebody else's"]


def test_what_raises_is_lost_and_the_next_goes_on(deliver):
    delivery = deliver(Raising())
    delivery.put(notes(kept()))
    delivery.put(notes(kept()))
    assert delivery.close() == delivered(lost=2, reason="ValueError: no such span")


def test_what_finds_no_room_is_dropped_and_counted(deliver):
    exporter = Stuck()
    delivery = deliver(exporter, OTEL_BSP_MAX_QUEUE_SIZE="2", OTEL_BSP_MAX_EXPORT_BATCH_SIZE="1")
    delivery.put(notes(kept()))
    assert exporter.began.wait(10)
    delivery.put(notes(kept(), kept(), kept(), kept()))  # the first one waits no more, it is being exported
    exporter.shut.set()
    assert delivery.close() == delivered(lost=5, reason="no more than 2 may wait")


def test_an_exporter_that_is_stuck_is_shut_down_and_its_thread_gone(deliver, monkeypatch):
    monkeypatch.setattr("tailgate.telemetry.delivery._GRACE_S", 4.9)
    delivery = deliver(Stuck())
    delivery.put(notes(kept()))
    assert delivery.close().lost == 1
    assert "tailgate-telemetry" not in {thread.name for thread in threading.enumerate()}


def test_an_attempt_that_may_take_hours_is_not_waited_for(deliver, monkeypatch):
    monkeypatch.setattr("tailgate.telemetry.delivery._GRACE_S", 4.9)
    delivery = deliver(Stuck(), OTEL_EXPORTER_OTLP_TIMEOUT="10000")
    delivery.put(notes(kept()))
    assert delivery.close() == delivered(lost=1, reason="no answer when the session ended")


def test_the_end_of_a_session_waits_no_longer_than_it_says(deliver, monkeypatch):
    now_s = [0.0]

    def wait(seconds):
        now_s[0] += seconds

    exporter = Stuck()
    delivery = deliver(exporter, OTEL_EXPORTER_OTLP_TIMEOUT="10")
    delivery.put(notes(kept()))
    assert exporter.began.wait(10)
    with monkeypatch.context() as patched:
        patched.setattr("tailgate.telemetry.delivery.time", SimpleNamespace(monotonic=lambda: now_s[0]))
        patched.setattr(delivery._thread, "join", wait)
        patched.setattr(exporter, "shutdown", lambda: wait(0.5))
        assert delivery.close().lost == 1
    assert now_s == [5.0]
    exporter.shut.set()
    delivery._thread.join()


class Passing(InMemorySpanExporter):
    """Fails as often as it is told to, once it may, and takes everything afterwards."""

    def __init__(self, failures):
        super().__init__()
        self.failures = failures
        self.may = threading.Event()

    def export(self, spans):
        self.may.wait()
        if self.failures:
            self.failures -= 1
            return SpanExportResult.FAILURE
        return super().export(spans)


@pytest.mark.parametrize(("failures", "sent"), [(0, 3), (1, 2), (2, 0)])
def test_a_failure_that_passes_costs_one_portion_at_the_end_of_a_session(deliver, monkeypatch, failures, sent):
    exporter = Passing(failures)
    delivery = deliver(exporter, OTEL_BSP_MAX_EXPORT_BATCH_SIZE="1")
    delivery.put(notes(kept(1), kept(2), kept(3)))
    monkeypatch.setattr(delivery, "_is_closing", True)
    exporter.may.set()
    assert delivery.close() == delivered(
        sent=sent, lost=3 - sent, reason="no answer when the session ended" if failures else ""
    )


HALF = "caf\ud83d"


def test_half_a_surrogate_pair_costs_nothing_of_what_is_sent(deliver):
    spans, metrics = InMemorySpanExporter(), Metrics()
    delivery = deliver(spans, metrics)
    run = replace(RUN, test=f"test_x.py::test[{HALF}]", scenario=HALF)
    failed = KeptRequest(kept(name=HALF, error=HALF).request, HALF, HALF)
    took_ms = {Kind("GET", HALF, None, HALF): array("d", [1.0])}
    delivery.put(Notes(run, kept=[failed, kept()], took_ms=took_ms, counters={HALF: 1}, is_last=True))
    limit = Threshold(kind="total", subject="total", metric="p95_ms", max=1.0)
    check = Check(threshold=limit, subject=HALF, window="hold", actual=2.0, samples=1, outcome=CheckOutcome.FAIL)
    judged = JudgedRun(scenario=HALF, verdict=Verdict.FAIL, checks=[check])
    delivery.put(FinishedTest(name=HALF, trace_id=1, span_id=2, began=1.0, ended=2.0, failure=HALF, runs=[judged]))
    assert delivery.close() == delivered(sent=3)
    encode_spans(spans.get_finished_spans()).SerializeToString()
    (taken,) = metrics.taken
    encode_metrics(taken).SerializeToString()
    assert spans.get_finished_spans()[0].status.description == "caf\\ud83d"


class Picky(InMemorySpanExporter):
    """Raises at the first span, as one does that cannot encode it."""

    def export(self, spans):
        if spans[0].context.span_id == 1:
            raise UnicodeError("no such text")
        return super().export(spans)


def test_what_cannot_be_encoded_takes_no_others_along(deliver):
    metrics = Metrics()
    delivery = deliver(Picky(), metrics, OTEL_BSP_MAX_EXPORT_BATCH_SIZE="1")
    delivery.put(notes(kept(1), kept(1), kept(2), is_last=True))
    assert delivery.close() == delivered(sent=1, lost=2, reason="UnicodeError: no such text")
    assert len(metrics.taken) == 1


def test_metrics_are_exported_when_a_run_ends(deliver):
    metrics = Metrics()
    delivery = deliver(InMemorySpanExporter(), metrics, OTEL_METRIC_EXPORT_INTERVAL="3600000")
    delivery.put(notes(took_ms=[1.0]))
    delivery.put(notes(took_ms=[2.0], is_last=True))
    assert delivery.close().failed_metrics == 0
    (resource,) = metrics.taken[-1].resource_metrics
    (scope,) = resource.scope_metrics
    assert {metric.name for metric in scope.metrics} == {
        "http.client.request.duration",
        "tailgate.users",
        "tailgate.counter",
    }
    (durations,) = [metric for metric in scope.metrics if metric.unit == "s"]
    assert durations.data.data_points[0].count == 2


def test_metrics_that_fail_are_counted(deliver):
    delivery = deliver(InMemorySpanExporter(), Metrics(MetricExportResult.FAILURE))
    delivery.put(notes(took_ms=[1.0], is_last=True))
    assert delivery.close().failed_metrics == 1
