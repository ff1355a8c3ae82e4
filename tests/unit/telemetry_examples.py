"""Requests and notes for the tests of telemetry."""

from __future__ import annotations

from array import array

from tailgate.telemetry.recording import KeptRequest, Kind, Notes, RunIdentity
from tailgate.tracing import TracedRequest

RUN = RunIdentity(
    test="test_x.py::test_peak",
    scenario="peak",
    host="http://shop.test:8080",
    trace_id=0xABC,
    test_span_id=0x1,
    began=100.0,
)
KIND = Kind("GET", "Get_All", 200)


def kept(
    span_id=0x2, *, name="Get_All", url="http://shop.test:8080/products", took_ms=5.0, due=None, status=200, error=None
) -> KeptRequest:
    request = TracedRequest(span_id, "GET", name, url, 1000.0, took_ms, due, status, error)
    return KeptRequest(request, error, error or "")


def notes(*some: KeptRequest, took_ms=(), is_last=False) -> Notes:
    taken = {KIND: array("d", took_ms)} if took_ms else {}
    return Notes(RUN, kept=list(some), took_ms=taken, users=3, counters={"sold": 2}, is_last=is_last)
