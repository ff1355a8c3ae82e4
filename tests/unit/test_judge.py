"""Verdicts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailgate.errors import InvalidRun, ThresholdBreach
from tailgate.judge import judge_nothing, judge_run, raise_for_verdict
from tailgate.model import ErrorCount, Severity, Stage, Verdict
from tailgate.reports.record import run_record
from tailgate.reports.summary import render_markdown
from tailgate.reports.terminal import render_run
from tailgate.run import RunFacts
from tailgate.samples import Outcome, SampleLog
from tests.unit.judged_examples import HEALTH
from tests.unit.run_examples import counter, failures, request, requests, run, scenario, total

KEPT = total("p95_ms", max=250)
BROKEN = total("mean_ms", max=5)
WARNED = total("max_ms", max=5, severity=Severity.WARN)
WITHOUT_DATA = counter("retries", max=5)
WARNED_WITHOUT_DATA = counter("retries", max=5, severity=Severity.WARN)
DIED = RunFacts(user_deaths=(ErrorCount(where="Shopper", error="ValueError: boom", count=2),))


def judged(*thresholds, rows=None, **changes):
    return judge_run(run(requests(60) if rows is None else rows, **changes), scenario(*thresholds))


@pytest.mark.parametrize(
    ("thresholds", "facts", "verdict"),
    [
        ([KEPT], RunFacts(), Verdict.PASS),
        ([KEPT, WARNED], RunFacts(), Verdict.WARN),
        ([KEPT, WARNED_WITHOUT_DATA], RunFacts(), Verdict.WARN),
        ([KEPT, BROKEN], RunFacts(), Verdict.FAIL),
        ([KEPT, WITHOUT_DATA], RunFacts(), Verdict.FAIL),
        ([BROKEN, WARNED], RunFacts(), Verdict.FAIL),
        ([KEPT], DIED, Verdict.INVALID),
        ([KEPT, WARNED], DIED, Verdict.INVALID),
        ([BROKEN], DIED, Verdict.INVALID),
        ([], RunFacts(), Verdict.INVALID),
    ],
)
def test_the_worst_finding_decides_the_verdict(thresholds, facts, verdict):
    assert judged(*thresholds, facts=facts).verdict is verdict


@given(st.lists(st.sampled_from([KEPT, BROKEN, WARNED, WITHOUT_DATA, WARNED_WITHOUT_DATA]), min_size=1), st.randoms())
def test_the_order_of_the_limits_does_not_matter(thresholds, random):
    shuffled = random.sample(thresholds, len(thresholds))

    assert judged(*shuffled).verdict is judged(*thresholds).verdict


@pytest.mark.parametrize("metric", ["p95_ms", "mean_ms", "failure_ratio", "failures", "requests", "throughput_rps"])
@pytest.mark.parametrize("severity", list(Severity))
def test_a_run_without_samples_is_never_a_pass(metric, severity):
    assert judged(total(metric, max=1e9, severity=severity), rows=[]).verdict is Verdict.INVALID


def test_a_run_of_only_failures_fails():
    assert judged(KEPT, rows=failures(100)).verdict is Verdict.FAIL


def test_a_run_that_nothing_checks_is_no_pass():
    optional = request("Rare", "p95_ms", max=250, allow_no_data=True)

    assert judged(optional).verdict is Verdict.INVALID


def test_a_passing_or_warning_run_raises_nothing():
    raise_for_verdict(judged(KEPT))
    raise_for_verdict(judged(KEPT, WARNED))


def test_a_breach_tells_every_failed_check_worst_first():
    verdict = judged(KEPT, total("p95_ms", max=9), WARNED, BROKEN, WITHOUT_DATA)

    with pytest.raises(ThresholdBreach) as caught:
        raise_for_verdict(verdict)

    assert str(caught.value).splitlines() == [
        "peak: 3 checks failed:",
        (
            "  - retries: count has no data, wanted <= 5: it was never counted (add 0 to it at the start if it may "
            "stay 0); the run has these counters: none (n = 0; thresholds.yaml:9)"
        ),
        "  - total: mean 10.0 ms breaks <= 5 ms (n = 60; thresholds.yaml:5)",
        "  - total: p95 10.0 ms breaks <= 9 ms (n = 60; thresholds.yaml:5)",
    ]
    assert caught.value.scenario == "peak"
    assert [check.subject for check in caught.value.failed] == ["retries", "total", "total"]


def test_one_failed_check_is_one_check():
    with pytest.raises(ThresholdBreach, match=r"^peak: 1 check failed:\n"):
        raise_for_verdict(judged(BROKEN))


def test_an_invalid_run_tells_its_reasons_and_the_checks_that_failed_as_well():
    with pytest.raises(InvalidRun) as caught:
        raise_for_verdict(judged(KEPT, BROKEN, facts=DIED))

    assert str(caught.value).splitlines() == [
        "peak: invalid run, it cannot be judged:",
        "  - 2 users ended before being asked to: Shopper: ValueError: boom (x2)",
        "  checks that failed as well:",
        "  - total: mean 10.0 ms breaks <= 5 ms (n = 60; thresholds.yaml:5)",
    ]
    assert len(caught.value.reasons) == len(caught.value.failed) == 1


def test_an_invalid_run_without_failed_checks_tells_its_reasons_only():
    with pytest.raises(InvalidRun) as caught:
        raise_for_verdict(judged(KEPT, facts=DIED))

    assert caught.value.failed == ()
    assert "failed as well" not in str(caught.value)


def test_a_test_that_never_loaded_is_an_invalid_run_without_figures():
    verdict = judge_nothing(test="test_peak", scenario="peak", reasons=["no samples: the stack did not start"])

    assert (verdict.verdict, verdict.total.samples, verdict.checks) == (Verdict.INVALID, 0, ())
    with pytest.raises(
        InvalidRun, match=r"^peak: invalid run, it cannot be judged:\n  - no samples: the stack did not"
    ):
        raise_for_verdict(verdict)


def test_requests_are_summarised_without_the_warm_up():
    verdict = judged(
        KEPT, rows=[*requests(70, 900), *requests(60, start_s=1), *failures(2, key="POST Buy", start_s=2)], warmup_s=1
    )

    assert {key: (each.samples, each.failures, each.max_ms) for key, each in verdict.requests.items()} == {
        "GET Home": (60, 0, 10),
        "POST Buy": (2, 2, None),
    }
    assert (verdict.total.samples, verdict.total.failures) == (62, 2)
    assert verdict.requests["GET Home"].throughput_rps == 60 / 9


def test_stages_are_told_with_their_levels_and_figures():
    stages = [Stage(name="up", duration_s=2, users=5), Stage(name="hold", duration_s=8, users=20)]

    verdict = judged(
        KEPT, rows=[*requests(10), *requests(60, 20, start_s=2)], stages=stages, users_reached=(5, 18), warmup_s=1
    )

    assert [(stage.name, stage.start_s, stage.end_s, stage.users, stage.users_reached) for stage in verdict.stages] == [
        ("up", 0, 2, 5, 5),
        ("hold", 2, 10, 20, 18),
    ]
    assert [(stage.summary.samples, stage.summary.p95_ms) for stage in verdict.stages] == [(0, None), (60, 20)]


def test_a_stage_that_was_never_begun_is_not_told():
    stages = [Stage(name="up", duration_s=2, users=5), Stage(name="hold", duration_s=8, users=20)]

    verdict = judged(KEPT, stages=stages, users_reached=(5,), duration_s=2)

    assert [stage.name for stage in verdict.stages] == ["up"]


def test_requests_that_no_check_covers_by_name_are_listed():
    rows = [*requests(60, key="GET Home"), *requests(60, key="GET Item"), *requests(60, key="POST Buy")]

    assert judged(KEPT, rows=rows).uncovered == ("GET Home", "GET Item", "POST Buy")
    assert judged(request("GET *", "p95_ms", max=9), rows=rows).uncovered == ("POST Buy",)
    assert judged(request("Buy", "p95_ms", max=9, stage="hold"), rows=rows).uncovered == ("GET Home", "GET Item")
    assert judged(request("*", "p95_ms", max=9), rows=rows).uncovered == ()


UP, DOWN = Stage(name="up", duration_s=2, users=5), Stage(name="down", duration_s=8, users=5)
MIXED = [*requests(60), *failures(3, key="POST Buy", start_s=1), *failures(2, key="GET Item", start_s=3)]


@pytest.mark.parametrize(
    ("thresholds", "said"),
    [
        ([], "5 of 65 requests failed, and no limit of the scenario says how many may"),
        (
            [request("GET *", "failure_ratio", max=1)],
            "3 of 65 requests failed, and no limit of the scenario says how many may (POST Buy x3)",
        ),
        (
            [request("DELETE *", "failures", max=0, allow_no_data=True)],
            "5 of 65 requests failed, and no limit of the scenario says how many may",
        ),
        (
            [total("failure_ratio", max=0, severity=Severity.INFO)],
            "5 of 65 requests failed, and no limit of the scenario says how many may",
        ),
        ([total("failures", min=1)], "5 of 65 requests failed, and no limit of the scenario says how many may"),
        (
            [total("failure_ratio", max=1, stage="up")],
            "2 of 65 requests failed, and no limit of the scenario says how many may (GET Item [down] x2)",
        ),
        (
            [request("Buy", "failure_ratio", max=1, stage="up"), request("Home", "failure_ratio", max=1)],
            "2 of 65 requests failed, and no limit of the scenario says how many may (GET Item [down] x2)",
        ),
        ([total("failure_ratio", max=1)], ""),
        ([total("failures", max=5, severity=Severity.WARN)], ""),
        ([request("*", "failure_ratio", max=1)], ""),
        ([total("failures", max=3, stage="up"), request("Item", "failure_ratio", max=1, stage="down")], ""),
    ],
)
def test_failures_that_no_check_asks_for_are_a_warning(thresholds, said):
    found = judged(KEPT, *thresholds, rows=MIXED, stages=[UP, DOWN])

    assert found.verdict is (Verdict.WARN if said else Verdict.PASS)
    assert found.notes == ((f"{said}: add failure_ratio",) if said else ())


def test_failures_of_the_warm_up_need_no_limit():
    assert judged(KEPT, rows=[*failures(5), *requests(60, start_s=2)], warmup_s=1).verdict is Verdict.PASS


def test_of_many_requests_that_fail_unasked_the_first_are_named():
    rows = [row for number in range(1, 6) for row in failures(number, key=f"GET {number}")]

    found = judged(request("Home", "failure_ratio", max=1), rows=[*requests(60), *rows])

    assert found.notes == (
        (
            "15 of 75 requests failed, and no limit of the scenario says how many may "
            "(GET 5 x5, GET 4 x4, GET 3 x3, and 2 more): add failure_ratio"
        ),
    )


@pytest.mark.parametrize(
    ("limits", "verdict"),
    [([counter("users_held", min=5)], Verdict.PASS), ([total("max_ms", max=1000)], Verdict.WARN)],
)
def test_failures_in_the_steps_of_a_stress_run_are_asked_for_by_the_users_that_it_held(limits, verdict):
    steps = total("failure_ratio", max=0, stage="*")
    rows = [*requests(60), *failures(2, start_s=3)]

    found = judged(*limits, steps, rows=rows, stages=[UP, DOWN], is_stress=True, counters={"users_held": 5})

    assert found.verdict is verdict


def test_a_cut_is_noted():
    verdict = judged(
        BROKEN, duration_s=4, facts=RunFacts(cut="5 failures are more than the 3 allowed"), notes=("first",)
    )

    assert verdict.verdict is Verdict.FAIL
    assert verdict.notes == ("first", "cut after 4.0 s: 5 failures are more than the 3 allowed")


def test_what_was_measured_is_handed_on():
    error = ErrorCount(where="GET Home", error="502", count=3)
    one = run(requests(60), counters={"sold": 3}, errors=(error,))

    verdict = judge_run(one, scenario(KEPT), fingerprint={"cpu_count": 2})

    assert (verdict.test, verdict.scenario, verdict.started_at) == (one.test, "peak", one.started_at)
    assert (verdict.duration_s, verdict.counters, verdict.errors) == (10, {"sold": 3}, (error,))
    assert (verdict.generator, verdict.fingerprint) == (HEALTH, {"cpu_count": 2})


def test_a_run_with_more_counters_is_another_run():
    one = run(counters={"sold": 3, "retries": 1})

    other = one.with_counters({"retries": 0, "oversold": 0})

    assert one.counters == {"sold": 3, "retries": 1}
    assert other.counters == {"sold": 3, "retries": 0, "oversold": 0}
    assert other.samples is one.samples


def test_a_run_checks_itself_as_it_was_told_to():
    verdict = judged(KEPT)
    seen = []
    one = run(_judge=lambda changed: seen.append(changed) or verdict).with_counters({"sold": 1})

    assert one.check() is verdict
    assert seen == [one]


def test_a_run_that_no_fixture_made_says_how_to_judge_it():
    with pytest.raises(RuntimeError) as caught:
        run().check()

    assert str(caught.value) == "this run was not made by the load fixture; use tailgate.judge.judge_run instead"


@pytest.mark.parametrize("most_exact", [10, 9])
def test_the_reports_say_whether_percentiles_are_exact(most_exact):
    log = SampleLog(most_exact=most_exact)
    for number in range(10):
        log.add("GET", "Home", number / 10, 10.0, Outcome.SUCCESS)
    found = judge_run(run(samples=log.finish()), scenario(total("p50_ms", max=20)))
    notes = [note for note in found.notes if note.startswith("percentiles are from histograms of three digits")]
    shown, written = "\n".join(render_run(run_record(found))), render_markdown([run_record(found)])

    assert found.resolution == ("exact" if most_exact == 10 else "histograms of three digits")
    assert run_record(found)["resolution"] == found.resolution
    assert f"- latencies: {found.resolution}\n" in written
    assert ("histograms" in shown) == bool(notes) == (most_exact == 9)
    assert found.total.p50_ms == pytest.approx(10.0, rel=0.0005)
