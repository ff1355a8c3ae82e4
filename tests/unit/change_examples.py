"""Literal changes and duets, for the tests of whatever reads them."""

from __future__ import annotations

import math

from tailgate.model import TOTAL, Change, DuetFacts, Judged, Outcome, RegressionRule, Severity, Verdict
from tests.unit.judged_examples import judged

FACTS = DuetFacts(
    base="main (1a2b3c4)",
    candidate="working tree (5d6e7f8, with uncommitted changes)",
    rounds=2,
    most_rounds=4,
    are_cores_shared=True,
    cpu_ratio=0.41,
)


def change(
    subject: str = TOTAL,
    metric: str = "p95_ms",
    *,
    outcome: Outcome = Outcome.UNCHANGED,
    line: int = 14,
    max_change: float = 0.10,
    **changes,
) -> Change:
    """A change that a rule in the given line asked for, or nobody if that is 0; with the given fields."""
    severity = changes.pop("severity", Severity.FAIL if line else Severity.INFO)
    window = changes.pop("window", TOTAL)
    rule = RegressionRule(
        kind="counter" if metric == "count" else "total" if subject == TOTAL else "request",
        subject=subject,
        metric=metric,
        stage=None if window == TOTAL else window,
        max_change=max_change,
        severity=severity,
        source=f"thresholds.yaml:{line}" if line else "",
    )
    fields = {
        "base": 23.1,
        "candidate": 23.4,
        "change": 0.012,
        "low": -0.021,
        "high": 0.046,
        "detectable": 0.164,
        "blocks": 58,
        "rounds": 2,
        "base_samples": 12_040,
        "candidate_samples": 11_980,
        "noise_floor_ratio": 0.01,
    }
    fields |= changes
    return Change(rule=rule, subject=subject, window=window, outcome=outcome, severity=severity, **fields)


SLOWER = change(
    outcome=Outcome.REGRESSED,
    base=46.1,
    candidate=55.9,
    change=0.263,
    low=0.198,
    high=0.327,
    standard_error=0.019,
    pooled=0.212,
    pooled_low=0.152,
    pooled_high=math.inf,
    is_marked=True,
)
FAILURES = change(
    metric="failure_ratio", line=15, max_change=0.01, base=0.0, candidate=0.0, change=0.0, low=-0.0004, high=0.0003,
    detectable=0.0104, noise_floor_ratio=None,
)  # fmt: skip
CPU = change(metric="cpu_ms", line=16, base=0.98, candidate=1.004, change=0.024, low=-0.013, high=0.062)
SOLD = change("units_sold", "count", line=17, max_change=0.02, base=0.031, candidate=0.033, change=0.002, low=-0.003,
    high=0.006, detectable=None, noise_floor_ratio=None)  # fmt: skip
UNSURE = change(
    "POST Buy_Product", line=18, window="recovery", outcome=Outcome.INCONCLUSIVE, base=46.0, candidate=50.2,
    change=0.092, low=0.031, high=math.inf, detectable=0.191,
    reasons=("the change may be as much as +15.1 %, the limit is +10.0 %",),
)  # fmt: skip
MARKED = change(
    "GET Get_All_Products", line=0, max_change=0.0, outcome=Outcome.REGRESSED, base=46.3, candidate=56.4, change=0.253,
    low=0.189, high=0.319, detectable=None, is_marked=True,
)  # fmt: skip
ALIKE = tuple(
    change(name, line=0, max_change=0.0, outcome=Outcome.INCONCLUSIVE, detectable=None)
    for name in ("GET Search_By_Category", "GET Health")
)
NEVER_SENT = change(
    "GET Rare", line=19, outcome=Outcome.INCONCLUSIVE, base=None, candidate=None, change=None, low=None, high=None,
    detectable=None, blocks=0, rounds=0, base_samples=0, candidate_samples=0, noise_floor_ratio=None,
    reasons=("no request of that name; seen: GET Home",),
)  # fmt: skip
ALL = (SLOWER, FAILURES, CPU, SOLD, UNSURE, NEVER_SENT, MARKED, *ALIKE)


def duet(*changes: Change, **fields) -> Judged:
    """A duet with the given changes, which failed unless told; limits are not judged in one."""
    given = {
        "test": "perf_tests/test_checkout.py::test_checkout",
        "scenario": "checkout",
        "duration_s": 70.0,
        "verdict": Verdict.FAIL,
        "checks": (),
        "duet": FACTS,
        "changes": changes,
        "uncovered": ("POST Buy_Product",),
    }
    return judged(**{**given, **fields})
