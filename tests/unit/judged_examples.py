"""Literal runs with their verdicts, for the tests of whatever reads them."""

from __future__ import annotations

from tailgate.model import (
    TOTAL,
    BeyondLimit,
    Check,
    CheckOutcome,
    ErrorCount,
    GeneratorHealth,
    Judged,
    RequestSummary,
    Severity,
    StageResult,
    Threshold,
    Verdict,
)

NO_REQUESTS = RequestSummary(
    samples=0, failures=0, mean_ms=None, p50_ms=None, p95_ms=None, p99_ms=None, max_ms=None, throughput_rps=0.0
)

HEALTH = GeneratorHealth(
    loop_lag_p50_ms=0.2,
    loop_lag_p99_ms=3.1,
    cpu_ratio=0.41,
    cpu_us_per_request=412.0,
    host_cpu_ratio=0.83,
    steal_ratio=0.0,
)


def summary(samples: int, failures: int, p50: float, p95: float, p99: float, *, rps: float = 100.0) -> RequestSummary:
    """A summary whose mean is its median, and whose maximum is twice its p99; in ms."""
    return RequestSummary(
        samples=samples,
        failures=failures,
        mean_ms=p50,
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        max_ms=2 * p99,
        throughput_rps=rps,
    )


def check(
    subject: str,
    metric: str,
    actual: float | None,
    *,
    min: float | None = None,  # noqa: A002 - the word of the thresholds file
    max: float | None = None,  # noqa: A002
    window: str = TOTAL,
    samples: int = 1_000,
    severity: Severity = Severity.FAIL,
    line: int = 14,
    note: str = "",
    beyond: BeyondLimit | None = None,
) -> Check:
    """A check whose outcome follows from its figures."""
    kind = "counter" if metric == "count" else "total" if subject == TOTAL else "request"
    threshold = Threshold(
        kind=kind,
        subject=subject,
        metric=metric,
        min=min,
        max=max,
        severity=severity,
        source=f"thresholds.yaml:{line}",
    )
    if actual is None:
        outcome = CheckOutcome.NO_DATA
    else:
        is_kept = (min is None or actual >= min) and (max is None or actual <= max)
        outcome = CheckOutcome.PASS if is_kept else CheckOutcome.FAIL
    return Check(
        threshold=threshold,
        subject=subject,
        window=window,
        actual=actual,
        samples=samples,
        outcome=outcome,
        note=note,
        severity=severity,
        beyond=beyond,
    )


def beyond(share: float, low: float, high: float, *, allowed: float = 0.05) -> BeyondLimit:
    """Which share of requests was beyond a limit; that of a p95 unless told."""
    return BeyondLimit(share=share, low=low, high=high, allowed=allowed)


def judged(**changes) -> Judged:
    """A small run that passed, with the given fields instead of its own."""
    fields = {
        "test": "perf_tests/test_peak.py::test_peak",
        "scenario": "peak",
        "started_at": "2025-03-01T12:00:00+00:00",
        "duration_s": 12.0,
        "verdict": Verdict.PASS,
        "reasons": (),
        "checks": (
            check("GET Get_All_Products", "p95_ms", 23.14, max=250, samples=1_840),
            check(TOTAL, "failure_ratio", 0.0, max=0.01, samples=2_253, line=9),
            check("oversold_units", "count", 0, max=0, samples=1, line=20),
        ),
        "requests": {
            "GET Get_All_Products": summary(1_840, 0, 12.3, 23.14, 31.0, rps=153.3),
            "POST Buy_Product": summary(413, 0, 18.0, 31.2, 99.96, rps=34.4),
        },
        "total": summary(2_253, 0, 13.1, 25.0, 48.0, rps=187.7),
        "counters": {"oversold_units": 0, "successful_purchases": 411},
        "stages": (
            StageResult(
                name="hold",
                start_s=0.0,
                end_s=12.0,
                users=20,
                users_reached=20,
                summary=summary(2_253, 0, 13.1, 25.0, 48.0),
            ),
        ),
        "errors": (),
        "uncovered": (),
        "generator": HEALTH,
        "fingerprint": {"python": "3.12.4", "cpu": {"model": "EPYC", "cores": 2}},
        "notes": (),
    }
    return Judged(**{**fields, **changes})


def failed_run() -> Judged:
    """A spike whose purchases were too slow and failed, with everything that a report can show."""
    return judged(
        test="perf_tests/test_spike.py::test_spike",
        scenario="spike",
        verdict=Verdict.FAIL,
        checks=(
            check("GET Get_All_Products", "p95_ms", 23.14, max=250, samples=1_840, line=12),
            check("POST Buy_Product", "p95_ms", 250.4, max=250, samples=413, line=14),
            check("POST Buy_Product", "p99_ms", 1_012.0, max=1_500, samples=413, line=15),
            check(TOTAL, "failure_ratio", 0.0217, max=0.01, samples=3_211, line=9),
            check(TOTAL, "throughput_rps", 261.8, min=20, samples=3_211, line=10),
            check("GET Search_By_Category", "p95_ms", 81.0, max=75, samples=402, severity=Severity.WARN, line=17),
            check("GET Health", "p95_ms", None, max=50, samples=0, line=18, note="no request of this name was sent"),
            check(TOTAL, "p95_ms", 61.0, max=100, window="normal", samples=1_000, line=22),
            check(TOTAL, "p95_ms", 412.0, max=300, window="recovery", samples=1_111, line=25),
            check("oversold_units", "count", 2, max=0, samples=1, line=28),
            check("successful_purchases", "count", 343, min=10, samples=1, line=29),
        ),
        requests={
            "GET Get_All_Products": summary(1_840, 0, 12.3, 23.14, 31.0, rps=153.3),
            "GET Search_By_Category": summary(402, 0, 21.5, 81.0, 97.7, rps=33.5),
            "POST Get_Product_Details_By_Name": summary(556, 0, 9.4, 18.8, 22.9, rps=46.3),
            "POST Buy_Product": summary(413, 70, 31.0, 250.4, 1_012.0, rps=28.6),
        },
        total=summary(3_211, 70, 14.2, 61.0, 298.0, rps=261.8),
        counters={
            "successful_purchases": 343,
            "failed_purchases": 70,
            "oversold_units": 2,
            "units_sold": 1_029,
            "retries": 12,
        },
        stages=(
            StageResult(
                name="normal",
                start_s=0.0,
                end_s=3.0,
                users=5,
                users_reached=5,
                summary=summary(1_000, 0, 12.0, 61.0, 80.0),
            ),
            StageResult(
                name="spike",
                start_s=3.0,
                end_s=8.0,
                users=60,
                users_reached=58,
                summary=summary(1_100, 61, 20.0, 300.0, 900.0),
            ),
            StageResult(
                name="recovery",
                start_s=8.0,
                end_s=12.0,
                users=5,
                users_reached=5,
                summary=summary(1_111, 9, 15.0, 412.0, 600.0),
            ),
        ),
        errors=(
            ErrorCount(
                where="POST Buy_Product", error="HTTPError: 503 Service Unavailable, wanted 200 or 409", count=61
            ),
            ErrorCount(where="POST Buy_Product", error="TimeoutError: no answer within 2.0 s", count=5),
            ErrorCount(where="POST Buy_Product", error="ConnectionResetError", count=2),
            ErrorCount(where="POST Buy_Product", error="HTTPError: 500", count=1),
            ErrorCount(where="POST Buy_Product", error="HTTPError: 502", count=1),
            ErrorCount(where="POST Buy_Product", error="HTTPError: 504", count=1),
        ),
        uncovered=("POST Get_Product_Details_By_Name",),
        notes=(
            "p95 came back below 300 ms 2.1 s after the spike",
            "cut after 12.0 s: the failure budget of 1 % of 10,000 requests could no longer be kept",
        ),
    )


def invalid_run() -> Judged:
    """A run that sent nothing."""
    return judged(
        test="perf_tests/test_soak.py::test_soak",
        scenario="soak",
        duration_s=3.0,
        verdict=Verdict.INVALID,
        reasons=("no samples: 0 requests in 3.0 s", "20 users died: ConnectionRefusedError (20 times)"),
        checks=(check(TOTAL, "p95_ms", None, max=250, samples=0, note="no successful request"),),
        requests={},
        total=NO_REQUESTS,
        counters={},
        stages=(),
    )
