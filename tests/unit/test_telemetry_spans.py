"""Spans of requests and tests, by the conventions."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import SpanKind, StatusCode

from tailgate.model import Check, CheckOutcome, Threshold, Verdict
from tailgate.telemetry.spans import FinishedTest, JudgedRun, SpanMaker, url_template
from tests.unit.telemetry_examples import RUN, kept


@pytest.fixture
def maker():
    return SpanMaker(Resource({"service.name": "tailgate"}), "1.0")


def test_a_request_is_a_client_span_with_its_own_times_below_the_test(maker):
    span = maker.request_span(RUN, kept(0x2, took_ms=12.5))
    assert (span.name, span.kind) == ("GET Get_All", SpanKind.CLIENT)
    assert (span.start_time, span.end_time) == (1_000_000_000_000, 1_000_012_500_000)
    assert (span.context.trace_id, span.context.span_id) == (0xABC, 0x2)
    assert (span.parent.trace_id, span.parent.span_id) == (0xABC, 0x1)
    assert span.status.status_code is StatusCode.UNSET
    assert dict(span.attributes) == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "server.address": "shop.test",
        "server.port": 8080,
        "url.full": "http://shop.test:8080/products",
        "url.template": "/products",
        "tailgate.request.name": "Get_All",
        "tailgate.scenario": "peak",
        "test.case.name": "test_x.py::test_peak",
    }


def test_a_failed_request_has_the_status_error_and_says_why(maker):
    span = maker.request_span(RUN, kept(status=None, error="TimeoutError"))
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "TimeoutError")
    assert span.attributes["error.type"] == "TimeoutError"
    assert "http.response.status_code" not in span.attributes


def test_a_status_is_no_error_unless_the_user_says_so(maker):
    span = maker.request_span(RUN, kept(status=409))
    assert span.status.status_code is StatusCode.UNSET
    assert "error.type" not in span.attributes


def test_a_request_that_was_late_says_when_it_was_due_and_starts_when_it_was_sent(maker):
    span = maker.request_span(RUN, kept(due=999.5))
    assert span.attributes["tailgate.request.due_at"] == "1970-01-01T00:16:39.500000+00:00"
    assert span.start_time == 1_000_000_000_000


@pytest.mark.parametrize(
    ("url", "address", "port"),
    [("https://shop.test/x", "shop.test", 443), ("http://[::1]/x", "::1", 80), ("http://[::1]:81/x", "::1", 81)],
)
def test_the_server_is_named_without_brackets_and_always_with_a_port(maker, url, address, port):
    attributes = maker.request_span(RUN, kept(url=url)).attributes
    assert (attributes["server.address"], attributes["server.port"]) == (address, port)


def test_what_is_no_address_is_told_as_it_is(maker):
    attributes = maker.request_span(RUN, kept(url="http://[bad/x")).attributes
    assert (attributes["url.full"], attributes["server.address"]) == ("http://[bad/x", "[bad")
    assert "server.port" not in attributes


def test_a_password_is_not_told(maker):
    span = maker.request_span(RUN, kept(url="http://ann:secret@shop.test/x?y=1"))
    assert span.attributes["url.full"] == "http://REDACTED:REDACTED@shop.test/x?y=1"


@pytest.mark.parametrize(
    ("name", "path", "template"),
    [
        ("/products/{id}", "/products/17", "/products/{id}"),
        ("Get_Product", "/products/17", "/products/{id}"),
        ("Get_Part", "/a/0b1C2d3e-0000-4000-8000-0123456789ab/b/2", "/a/{id}/b/{id}"),
        ("Get_All", "/products/v2", "/products/v2"),
        ("Get_Root", "", "/"),
    ],
)
def test_the_template_is_a_path_that_names_no_single_thing(name, path, template):
    assert url_template(name, path) == template


def check(outcome):
    threshold = Threshold(kind="total", subject="total", metric="p95_ms", max=100.0, source="thresholds.yaml:9")
    return Check(threshold=threshold, subject="total", window="hold", actual=130.0, samples=87, outcome=outcome)


def finished(*runs, failure=None):
    return FinishedTest(
        name="test_x.py::test_peak", trace_id=0xABC, span_id=0x1, began=90.0, ended=110.0, failure=failure, runs=runs
    )


def judged(verdict, *checks):
    return JudgedRun(scenario="peak", verdict=verdict, checks=checks)


def test_a_test_is_a_root_span_with_its_verdict_and_an_event_a_check(maker):
    run = judged(Verdict.FAIL, check(CheckOutcome.FAIL))
    span = maker.test_span(finished(run, failure="peak: 1 check failed:"))
    assert (span.name, span.parent) == ("test_x.py::test_peak", None)
    assert (span.context.trace_id, span.context.span_id) == (0xABC, 0x1)
    assert (span.start_time, span.end_time) == (90_000_000_000, 110_000_000_000)
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "peak: 1 check failed:")
    assert dict(span.attributes) == {
        "test.case.name": "test_x.py::test_peak",
        "test.case.result.status": "fail",
        "tailgate.scenario": ("peak",),
        "tailgate.verdict": "fail",
    }
    (event,) = span.events
    assert event.name == "tailgate.check"
    assert dict(event.attributes) == {
        "tailgate.scenario": "peak",
        "tailgate.check.subject": "total",
        "tailgate.check.window": "hold",
        "tailgate.check.metric": "p95_ms",
        "tailgate.check.limit": "<= 100 ms",
        "tailgate.check.actual": 130.0,
        "tailgate.check.samples": 87,
        "tailgate.check.outcome": "fail",
        "tailgate.check.severity": "fail",
        "tailgate.check.message": str(check(CheckOutcome.FAIL)),
    }


def test_the_verdict_of_a_test_is_the_worst_of_its_runs(maker):
    span = maker.test_span(finished(judged(Verdict.PASS), judged(Verdict.INVALID), judged(Verdict.FAIL)))
    assert span.attributes["tailgate.verdict"] == "invalid"


def test_a_test_without_runs_has_no_verdict(maker):
    span = maker.test_span(finished())
    assert "tailgate.verdict" not in span.attributes
    assert span.attributes["test.case.result.status"] == "pass"


def test_every_check_of_a_test_is_told_however_many_there_are(maker):
    failed, *passed = check(CheckOutcome.FAIL), *[check(CheckOutcome.PASS)] * 200
    span = maker.test_span(finished(judged(Verdict.FAIL, failed, *passed)))
    outcomes = [event.attributes["tailgate.check.outcome"] for event in span.events]
    assert outcomes == ["fail", *["pass"] * 200]
