"""The record of a run, its document and its schema."""

import copy
import json
import math

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailgate.model import Severity, Verdict
from tailgate.reports.record import checks_of, report_document, report_schema, run_record
from tests.unit.judged_examples import check, failed_run, invalid_run, judged, summary

VALIDATOR = jsonschema.Draft202012Validator(report_schema())
ANY_FLOAT = st.floats(allow_nan=True, allow_infinity=True)


def problems(document):
    return [error.message for error in VALIDATOR.iter_errors(document)]


def numbers_in(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from numbers_in(item)
    elif isinstance(value, float):
        yield value


def test_the_schema_is_a_valid_schema():
    jsonschema.Draft202012Validator.check_schema(report_schema())


@pytest.mark.parametrize("make", [judged, failed_run, invalid_run])
def test_a_document_keeps_its_schema(make):
    assert problems(report_document([run_record(make())])) == []


def test_a_document_without_runs_keeps_its_schema():
    document = report_document([])

    assert problems(document) == []
    assert document["schema"] == 1
    assert document["runs"] == []


def test_the_record_has_the_documented_keys_in_order():
    assert list(run_record(judged())) == [
        "test", "scenario", "started_at", "duration_s", "verdict", "reasons", "checks", "total", "requests",
        "counters", "stages", "errors", "uncovered", "generator", "fingerprint", "notes",
        "comparison", "duet", "changes", "tiers", "resolution",
    ]  # fmt: skip


def test_a_check_is_recorded_with_only_the_limits_that_were_given():
    record = run_record(judged(checks=(check("total", "p95_ms", 23.14, max=250, samples=7, severity=Severity.WARN),)))

    assert record["checks"] == [
        {
            "subject": "total",
            "window": "total",
            "metric": "p95_ms",
            "actual": 23.14,
            "limit": {"max": 250},
            "samples": 7,
            "outcome": "pass",
            "severity": "warn",
            "source": "thresholds.yaml:14",
            "note": "",
            "breakdown": "",
            "beyond": None,
        }
    ]


def test_a_summary_is_recorded_with_all_its_figures():
    record = run_record(judged(requests={"GET A": summary(10, 1, 1.5, 2.25, 3.0, rps=9.0)}))

    assert record["requests"] == {
        "GET A": {
            "samples": 10,
            "failures": 1,
            "mean_ms": 1.5,
            "p50_ms": 1.5,
            "p95_ms": 2.25,
            "p99_ms": 3.0,
            "max_ms": 6.0,
            "throughput_rps": 9.0,
        }
    }


@pytest.mark.parametrize(
    ("value", "recorded"),
    [
        (0.123456789, 0.123457),
        (99.96123456, 99.9612),
        (1_234_567.8, 1_234_568.0),
        (0.0, 0.0),
        (3, 3),
        (math.nan, None),
        (math.inf, None),
        (-math.inf, None),
    ],
)
def test_a_figure_is_rounded_to_six_digits_or_null(value, recorded):
    assert run_record(judged(counters={"x": value}))["counters"] == {"x": recorded}


def test_a_count_that_no_float_can_hold_is_null():
    assert run_record(judged(counters={"huge": 10**400, "sold": 3}))["counters"] == {"huge": None, "sold": 3}


def test_rounding_does_not_move_a_figure_to_the_other_side_of_its_limit():
    checks = (check("total", "p95_ms", 250.0000001, max=250), check("total", "p95_ms", 19.99999999, min=20))

    assert [item["actual"] for item in run_record(judged(checks=checks))["checks"]] == [250.0000001, 19.99999999]


@given(actual=ANY_FLOAT, limit=st.floats(allow_nan=False, allow_infinity=False))
def test_a_recorded_figure_stands_where_the_measured_one_stood(actual, limit):
    recorded = run_record(judged(checks=(check("total", "p95_ms", actual, max=limit),)))["checks"][0]

    if math.isfinite(actual):
        assert (recorded["actual"] > limit, recorded["actual"] < limit) == (actual > limit, actual < limit)
    else:
        assert recorded["actual"] is None


@given(p95=ANY_FLOAT, counter=ANY_FLOAT, limit=ANY_FLOAT, deep=ANY_FLOAT, length=ANY_FLOAT)
def test_nothing_that_json_cannot_hold_is_recorded(p95, counter, limit, deep, length):
    record = run_record(
        judged(
            total=summary(1, 0, p95, p95, p95, rps=p95),
            counters={"x": counter},
            checks=(check("total", "p95_ms", p95, max=limit),),
            fingerprint={"a": [{"b": (deep,)}]},
            duration_s=length,
        )
    )

    assert all(math.isfinite(number) for number in numbers_in(record))
    assert json.loads(json.dumps(record, allow_nan=False)) == record


def test_a_lone_surrogate_is_spelled_out():
    record = run_record(judged(uncovered=("GET a\udc80b",)))

    assert record["uncovered"] == ["GET a\\udc80b"]


def test_the_record_holds_only_plain_types():
    numpy = pytest.importorskip("numpy")
    record = run_record(judged(counters={"a": numpy.int64(3), "b": numpy.float64(0.5)}, verdict=Verdict.WARN))

    assert [type(value) for value in record["counters"].values()] == [int, float]
    assert type(record["verdict"]) is str


def test_the_checks_come_back_as_they_were():
    run = failed_run()

    assert [str(item) for item in checks_of(run_record(run))] == [str(item) for item in run.checks]


@pytest.mark.parametrize(
    "path",
    [
        (),
        ("runs", 0),
        ("runs", 0, "total"),
        ("runs", 0, "checks", 0),
        ("runs", 0, "checks", 0, "limit"),
        ("runs", 0, "stages", 0),
        ("runs", 0, "errors", 0),
        ("runs", 0, "generator"),
        ("runs", 0, "requests", "POST Buy_Product"),
    ],
)
def test_the_schema_refuses_unknown_keys(path):
    document = copy.deepcopy(report_document([run_record(failed_run())]))
    place = document
    for key in path:
        place = place[key]
    place["surprise"] = 1

    assert problems(document) == ["Additional properties are not allowed ('surprise' was unexpected)"]


def test_the_schema_refuses_an_unknown_verdict():
    document = report_document([run_record(judged()) | {"verdict": "green"}])

    assert problems(document) == ["'green' is not one of ['pass', 'warn', 'fail', 'invalid']"]


def test_every_key_of_the_schema_has_a_description():
    definitions = report_schema()["$defs"]

    for name, definition in definitions.items():
        for key, field in definition.get("properties", {}).items():
            target = definitions.get(field.get("$ref", "").removeprefix("#/$defs/"), {})
            assert "description" in field or "description" in target, f"{name}.{key}"
