"""Which requests of a run get a span, and what is counted of all of them."""

from __future__ import annotations

from itertools import count

import pytest

from tailgate.telemetry.recording import (
    SLOWEST_COUNT,
    Kind,
    RunTracer,
    type_of_error,
)
from tailgate.tracing import NO_ANSWER, TracedRequest
from tests.unit.telemetry_examples import RUN

LOWEST_ID, HIGHEST_ID = 1, 2**64 - 1


def request(took_ms=1.0, *, span_id=HIGHEST_ID, name="Get_All", status=200, error=None):
    return TracedRequest(span_id, "GET", name, "http://127.0.0.1:80/products", 10.0, took_ms, None, status, error)


@pytest.fixture
def put():
    return []


def finish(tracer, request):
    """Do what the engine does when a request is over."""
    counted = (request.span_id, request.method, request.name, request.status, request.took_ms)
    if request.error or tracer.count(*counted):
        tracer.keep(request)


def tracer_of(put, sample_ratio):
    """Return a tracer for which between two looks at the clock enough time passes to hand over."""
    return RunTracer(RUN, sample_ratio, put.append, put_every_s=1.0, clock=count().__next__)


def kept_ms(put):
    return [kept.request.took_ms for notes in put for kept in notes.kept]


def test_traceparent_names_the_test_the_request_and_whether_it_is_sampled(put):
    span_id, traceparent = tracer_of(put, 1.0).start()
    assert traceparent == f"00-00000000000000000000000000000abc-{span_id:016x}-01"
    assert tracer_of(put, 0.0).start()[1].endswith("-00")
    assert tracer_of(put, None).start()[1].endswith("-00")


def test_the_share_of_sampled_requests_is_the_ratio(put):
    tracer = tracer_of(put, 0.25)
    sampled = sum(tracer.start()[1].endswith("-01") for _ in range(4000))
    assert 850 < sampled < 1150  # five standard deviations


def test_what_was_told_to_be_sampled_is_kept(put):
    tracer = tracer_of(put, 0.5)
    told = {}
    for _ in range(50):
        span_id, traceparent = tracer.start()
        told[span_id] = traceparent.endswith("-01")
        finish(tracer, request(span_id=span_id))
    tracer.hand_over(1, {})
    assert {kept.request.span_id for notes in put for kept in notes.kept} == {one for one in told if told[one]}


def test_failures_are_kept_at_once_with_their_text_and_without_the_exception(put):
    tracer = tracer_of(put, 0.0)
    finish(tracer, request(error=ValueError("wrong body")))
    finish(tracer, request())
    tracer.hand_over(1, {})
    ((kept,),) = [notes.kept for notes in put]
    assert (kept.error_type, kept.message, kept.request.error) == ("ValueError", "wrong body", "wrong body")


def test_the_slowest_of_each_kind_are_kept_when_the_run_is_over(put):
    tracer = tracer_of(put, 0.0)
    for took_ms in range(100):
        finish(tracer, request(took_ms))
        finish(tracer, request(1000 + took_ms, name="Buy"))
    tracer.hand_over(2, {})
    assert kept_ms(put) == []
    tracer.end({})
    slowest = set(range(100 - SLOWEST_COUNT, 100))
    assert set(kept_ms(put)) == slowest | {1000 + took_ms for took_ms in slowest}
    assert [notes.is_last for notes in put] == [False, True]


def test_names_beyond_the_first_hundred_are_counted_and_not_compared(put):
    tracer = tracer_of(put, 0.0)
    for number in range(150):
        finish(tracer, request(number, name=f"/products/{number}"))
    tracer.end({})
    assert kept_ms(put) == list(range(100))
    assert len(put[0].took_ms) == 150


def test_a_sampled_request_is_not_kept_a_second_time_for_being_slow(put):
    tracer = tracer_of(put, 0.5)
    finish(tracer, request(5000, span_id=LOWEST_ID))
    tracer.end({})
    assert kept_ms(put) == [5000]


def test_no_sampling_keeps_nothing_but_counts_all(put):
    tracer = tracer_of(put, None)
    finish(tracer, request(1))
    finish(tracer, request(2, error=ValueError("x")))
    tracer.end({})
    assert kept_ms(put) == []
    assert sum(map(len, put[0].took_ms.values())) == 2


def test_requests_are_counted_by_method_name_status_and_error(put):
    tracer = tracer_of(put, 0.0)
    finish(tracer, request(1))
    finish(tracer, request(2))
    finish(tracer, request(3, status=500, error=OSError()))
    tracer.hand_over(7, {"sold": 3})
    assert {kind: list(took_ms) for kind, took_ms in put[0].took_ms.items()} == {
        Kind("GET", "Get_All", 200): [1, 2],
        Kind("GET", "Get_All", 500, "500"): [3],
    }
    assert (put[0].users, put[0].counters) == (7, {"sold": 3})


def test_what_was_handed_over_is_not_handed_over_again(put):
    tracer = tracer_of(put, 1.0)
    finish(tracer, request(1, span_id=LOWEST_ID))
    tracer.hand_over(1, {})
    tracer.hand_over(1, {})
    assert kept_ms(put) == [1]
    assert put[1].took_ms == {}


def test_little_is_handed_over_at_once(put):
    times_s = iter([0.0, 0.25, 0.5, 1.0, 1.0, 1.25])
    tracer = RunTracer(RUN, 1.0, put.append, put_every_s=1.0, clock=times_s.__next__)
    for users in range(4):
        tracer.hand_over(users, {})
    assert [notes.users for notes in put] == [2]


@pytest.mark.parametrize(
    ("status", "error", "wanted"),
    [
        (500, ValueError("x"), "500"),
        (404, ValueError("x"), "404"),
        (200, ValueError("wrong body"), "ValueError"),
        (None, ConnectionRefusedError(), "ConnectionRefusedError"),
        (None, pytest.UsageError(), "pytest.UsageError"),
        (None, NO_ANSWER, "no_answer"),
    ],
)
def test_the_type_of_an_error_is_the_status_or_else_the_class(status, error, wanted):
    assert type_of_error(status, error) == wanted
