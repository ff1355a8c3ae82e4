"""A run beside saved ones: outcomes, special cases, and what each does to the test."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailgate.baseline_compare import BaselineComparison, compare_with_baseline, raise_for_comparison, show_change
from tailgate.baseline_rules import BaselineRules, FindingKind
from tailgate.errors import BaselineMismatch, InconclusiveComparison, Regression
from tailgate.model import Outcome, Severity
from tests.unit.baseline_examples import ALIKE, days, history, on, saved, series

P95 = ("total", "p95_ms")


def metric(comparison: BaselineComparison, subject: str, name: str):
    (found,) = [item for item in comparison.metrics if (item.subject, item.metric) == (subject, name)]
    return found


def kinds(comparison: BaselineComparison):
    return [(finding.kind, finding.severity) for finding in comparison.findings]


def only(*gates, **changes):
    return BaselineRules(gates=gates, **changes)


@pytest.mark.parametrize(
    ("p95", "outcome"),
    [
        (31.0, Outcome.REGRESSED),
        (12.0, Outcome.IMPROVED),
        (21.0, Outcome.INCONCLUSIVE),  # neither more than the noise, nor surely less than 10 %
        (17.0, Outcome.IMPROVED),
        (19.0, Outcome.UNCHANGED),  # even with all the noise against it not 10 % slower
    ],
)
def test_six_saved_runs_with_little_noise_decide(p95, outcome):
    assert compare_with_baseline(saved(series(p95)), history(*ALIKE)).outcome is outcome


def test_the_figures_of_a_metric_are_those_of_a_prediction_interval():
    found = metric(compare_with_baseline(saved(series(31.0)), history(*ALIKE)), *P95)

    assert found.is_gate
    assert found.is_measured
    assert found.runs == 6
    assert found.baseline == pytest.approx(19.98957)
    assert found.candidate == 31.0
    assert found.change_ratio == found.change == pytest.approx(0.550808)
    assert found.spread == pytest.approx(0.0353852)
    # t with 5 degrees that 2.5 % exceed is 2.570582: exp(log(1.550808) -+ 2.570582 * 0.0353852 * sqrt(7 / 6)) - 1
    assert found.low == pytest.approx(0.405688, abs=1e-5)
    assert found.high == pytest.approx(0.710909, abs=1e-5)
    # With the z that 20 % exceed, 0.841621, it is: exp((2.570582 + 0.841621) * 0.0353852 * sqrt(7 / 6)) - 1
    assert found.detectable == pytest.approx(0.139301, abs=1e-5)
    assert str(found) == (
        "total: p95 regressed, 20.0 ms -> 31.0 ms: +55.1 % (+40.6 % to +71.1 %; 6 saved runs, measured spread 3.5 %)"
    )


@pytest.mark.parametrize("count", [1, 2, 3, 4])
@pytest.mark.parametrize("p95", [2.0, 20.0, 21.0, 2_000.0])
def test_few_saved_runs_decide_nothing_whatever_the_change(count, p95):
    comparison = compare_with_baseline(saved(series(p95)), history(*ALIKE[:count]))

    assert comparison.outcome is Outcome.INCONCLUSIVE
    assert comparison.severity is Severity.WARN
    raise_for_comparison(comparison)


def test_one_saved_run_is_judged_by_an_assumed_spread_and_says_so():
    found = metric(compare_with_baseline(saved(series(60.0)), history(20.0)), *P95)

    assert found.spread == 0.15
    assert not found.is_measured
    assert found.stands_out
    # With z of 2.5 % and of 20 %, as nothing is measured: exp((1.959964 + 0.841621) * 0.15 * sqrt(2)) - 1
    assert found.detectable == pytest.approx(0.811773, abs=1e-5)
    assert str(found) == (
        "total: p95 inconclusive, 20.0 ms -> 60.0 ms: +200.0 % (+97.9 % to +354.7 %; "
        "1 saved run, assumed spread 15.0 %, which does not explain the change)"
    )


def test_few_runs_that_differ_by_more_than_is_assumed_are_believed():
    found = metric(compare_with_baseline(saved(), history(10.0, 40.0)), *P95)

    assert found.spread == pytest.approx(0.980258)


def test_saved_runs_that_are_alike_by_chance_are_not_believed():
    comparison = compare_with_baseline(saved(series(20.9)), history(*[20.0] * 8))

    assert metric(comparison, *P95).spread == 0.02
    assert comparison.outcome is Outcome.UNCHANGED


def test_a_change_beyond_noise_but_below_the_floor_in_ms_is_no_regression():
    fast = days(saved(series(1.0, p50=0.5)) for _ in range(8))
    comparison = compare_with_baseline(saved(series(1.95, p50=0.9)), fast)

    assert metric(comparison, *P95).stands_out
    assert comparison.outcome is Outcome.INCONCLUSIVE  # it may be 1 ms more than before
    assert compare_with_baseline(saved(series(1.5)), fast).outcome is Outcome.UNCHANGED
    assert compare_with_baseline(saved(series(2.1)), fast).outcome is Outcome.REGRESSED


def test_a_change_beyond_noise_but_below_the_floor_as_a_ratio_is_no_regression():
    comparison = compare_with_baseline(saved(series(2_150.0)), history(*[2_000.0] * 8))

    assert metric(comparison, *P95).stands_out
    assert comparison.outcome is not Outcome.REGRESSED


def test_noise_hides_what_it_is_larger_than():
    noisy = history(10.0, 40.0, 20.0, 30.0, 15.0, 25.0)
    comparison = compare_with_baseline(saved(series(60.0)), noisy)

    assert metric(comparison, *P95).change_ratio > 1.5
    assert comparison.outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("failures", "outcome"),
    [(0, Outcome.UNCHANGED), (30, Outcome.UNCHANGED), (100, Outcome.REGRESSED), (6_000, Outcome.REGRESSED)],
)
def test_failures_where_there_were_none_are_judged_by_the_difference(failures, outcome):
    rules = only(("total", "failure_ratio"))
    comparison = compare_with_baseline(saved(series(failures=failures)), history(*ALIKE), rules)
    found = metric(comparison, "total", "failure_ratio")

    assert comparison.outcome is outcome
    assert found.baseline == 0
    assert found.change_ratio is None
    assert found.change == pytest.approx(failures / 6_000)


def test_a_failure_ratio_has_a_ratio_where_there_were_failures():
    before = days(saved(series(failures=60)) for _ in range(6))
    found = metric(compare_with_baseline(saved(series(failures=240)), before), "total", "failure_ratio")

    assert found.outcome is Outcome.REGRESSED
    assert found.change == pytest.approx(0.03)
    assert found.change_ratio == pytest.approx(3.0)
    assert str(found) == (
        "total: failure_ratio regressed, 1 % -> 4 %: "
        "+3.00 points (+2.33 points to +3.73 points; 6 saved runs, measured spread 0.13 points)"
    )


def test_few_requests_without_failures_show_little():
    before = days(saved(series(samples=20)) for _ in range(6))
    comparison = compare_with_baseline(saved(series(samples=20)), before, only(("total", "failure_ratio")))

    assert comparison.outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("rps", "outcome"), [(60.0, Outcome.REGRESSED), (100.0, Outcome.UNCHANGED), (150.0, Outcome.IMPROVED)]
)
def test_less_throughput_is_worse(rps, outcome):
    before = days(saved(series(rps=rate)) for rate in (100.0, 101.0, 99.0, 100.0, 100.0, 100.0))
    comparison = compare_with_baseline(saved(series(rps=rps)), before, only(("total", "throughput_rps")))

    assert comparison.outcome is outcome
    assert metric(comparison, "total", "throughput_rps").detectable < 0


def test_no_throughput_at_all_is_a_regression():
    stalled = saved(series(None, p50=None, rps=0.0, failures=6_000))
    found = metric(compare_with_baseline(stalled, history(*ALIKE)), "total", "throughput_rps")

    assert (found.change_ratio, found.outcome) == (-1.0, Outcome.REGRESSED)


def test_a_gate_that_cannot_answer_outweighs_one_that_improved():
    better = saved(series(12.0, samples=20))
    before = days(saved(series(p95, samples=20)) for p95 in ALIKE)

    assert compare_with_baseline(better, before).outcome is Outcome.INCONCLUSIVE
    assert compare_with_baseline(better, before, only(P95)).outcome is Outcome.IMPROVED


# Special cases: each has an outcome of its own, and none is green by accident.


def test_without_a_saved_run_there_is_no_answer():
    comparison = compare_with_baseline(saved(), [], name="main")

    assert comparison.outcome is Outcome.INCONCLUSIVE
    assert comparison.metrics == ()
    assert kinds(comparison) == [(FindingKind.NO_BASELINE, Severity.WARN)]
    assert comparison.findings[0].text == "baseline 'main': no run was saved yet"


def test_a_run_on_another_machine_is_not_compared():
    comparison = compare_with_baseline(saved(series(500.0), fingerprint=on(cpu_count=4)), history(*ALIKE), name="main")

    assert comparison.outcome is Outcome.INCONCLUSIVE
    assert comparison.metrics == ()
    assert kinds(comparison) == [(FindingKind.NOT_COMPARABLE, Severity.WARN)]
    assert comparison.findings[0].text == (
        "baseline 'main': not comparable with 6 saved runs: fingerprint.cpu_count was 2, is 4"
    )


def test_a_field_that_may_differ_lets_a_run_be_compared():
    rules = BaselineRules(ignore=("fingerprint.cpu_count",))
    comparison = compare_with_baseline(saved(series(500.0), fingerprint=on(cpu_count=4)), history(*ALIKE), rules)

    assert comparison.outcome is Outcome.REGRESSED


def test_saved_runs_of_one_hour_do_not_count_as_several():
    same_time = [replace(run, started_at="2025-03-01T12:00:00+00:00") for run in history(*ALIKE)]
    comparison = compare_with_baseline(saved(series(500.0)), same_time)

    assert comparison.runs == 1
    assert comparison.outcome is Outcome.INCONCLUSIVE


def test_new_and_vanished_requests_are_told():
    candidate = saved(series(19.0), {"GET Home": series(), "GET New": series()})
    before = days(saved(series(p95), {"GET Home": series(), "GET Old": series()}) for p95 in ALIKE)
    before[0] = replace(before[0], requests={"GET Home": series()})
    comparison = compare_with_baseline(candidate, before)

    assert comparison.outcome is Outcome.UNCHANGED
    assert [(finding.kind, finding.severity, finding.text) for finding in comparison.findings] == [
        (FindingKind.NEW_REQUEST, Severity.WARN, "GET New: is new: no saved run has it, nothing to compare with"),
        (
            FindingKind.VANISHED_REQUEST,
            Severity.WARN,
            "GET Old: vanished: 5 of 6 saved runs have it, this one does not",
        ),
    ]
    raise_for_comparison(comparison)


def test_a_request_that_some_saved_runs_lack_is_compared_with_the_others():
    before = days(saved(series(p95), {}) for p95 in ALIKE)
    before[3:] = [replace(run, requests={"GET Home": series()}) for run in before[3:]]
    found = metric(compare_with_baseline(saved(), before), "GET Home", "p95_ms")

    assert found.runs == 3
    assert found.outcome is Outcome.INCONCLUSIVE


def test_a_gate_on_a_request_that_vanished_is_no_pass():
    rules = only(("GET Home", "p95_ms"))
    comparison = compare_with_baseline(saved(requests={}), history(*ALIKE), rules)

    assert comparison.outcome is Outcome.INCONCLUSIVE
    assert kinds(comparison) == [(FindingKind.VANISHED_REQUEST, Severity.WARN), (FindingKind.NO_DATA, Severity.WARN)]
    assert comparison.findings[1].text == ("GET Home: p95 inconclusive: no data: not in both this run and a saved one")


def test_a_request_that_never_succeeds_any_more_is_no_pass():
    candidate = saved(series(None, p50=None, failures=6_000, rps=0.0))
    comparison = compare_with_baseline(candidate, history(*ALIKE), only(P95))

    assert comparison.outcome is Outcome.INCONCLUSIVE
    assert (FindingKind.NO_DATA, Severity.WARN) in kinds(comparison)
    assert "total: p95 inconclusive: no data: no request of this run took a time and succeeded" in [
        finding.text for finding in comparison.findings
    ]


def test_saved_runs_without_successes_are_no_baseline_of_a_latency():
    before = days(saved(series(None, p50=None, failures=6_000, rps=0.0)) for _ in range(6))
    comparison = compare_with_baseline(saved(), before, only(P95))

    assert comparison.outcome is Outcome.INCONCLUSIVE
    assert metric(comparison, *P95).absence.kind is FindingKind.NO_DATA


@pytest.mark.parametrize("values", [[0.0] * 6, [100.0] * 5 + [0.0]])
def test_a_zero_baseline_has_an_outcome_of_its_own(values):
    before = days(saved(series(rps=rps)) for rps in values)
    comparison = compare_with_baseline(saved(), before, only(("total", "throughput_rps")))

    assert comparison.outcome is Outcome.INCONCLUSIVE
    assert (FindingKind.ZERO_BASELINE, Severity.WARN) in kinds(comparison)
    assert "total: throughput inconclusive: a saved run has 0.0/s, and there is no ratio to that" in [
        finding.text for finding in comparison.findings
    ]


def test_a_latency_of_zero_is_no_improvement():
    comparison = compare_with_baseline(saved(series(0.0)), history(*ALIKE), only(P95))

    assert comparison.outcome is Outcome.INCONCLUSIVE
    assert metric(comparison, *P95).absence.kind is FindingKind.NO_DATA


# What findings do to the test.


def test_a_regression_of_a_gate_fails_the_test():
    comparison = compare_with_baseline(saved(series(31.0, failures=200)), history(*ALIKE))

    with pytest.raises(Regression) as raised:
        raise_for_comparison(comparison)
    assert str(raised.value) == (
        "peak: regressed:\n"
        "  - total: p95 regressed, 20.0 ms -> 31.0 ms: +55.1 % (+40.6 % to +71.1 %; "
        "6 saved runs, measured spread 3.5 %)\n"
        "  - total: failure_ratio regressed, 0 % -> 3.33 %: +3.33 points (+2.72 points to +4.01 points; "
        "6 saved runs, measured spread 0.00 points)"
    )


def test_a_regression_of_a_request_only_warns():
    before = days(saved(series(20.0), {"GET Home": series(p95)}) for p95 in ALIKE)
    comparison = compare_with_baseline(saved(series(19.0), {"GET Home": series(40.0)}), before)

    assert comparison.outcome is Outcome.UNCHANGED
    assert kinds(comparison) == [(FindingKind.REQUEST_REGRESSED, Severity.WARN)]
    raise_for_comparison(comparison)


def test_any_request_can_be_a_gate():
    before = days(saved(series(20.0), {"GET Home": series(p95)}) for p95 in ALIKE)
    candidate = saved(series(19.0), {"GET Home": series(40.0)})

    with pytest.raises(Regression, match="GET Home: p95 regressed"):
        raise_for_comparison(compare_with_baseline(candidate, before, only(P95, ("GET Home", "p95_ms"))))


def test_no_baseline_can_be_made_a_failure():
    rules = BaselineRules(severities={FindingKind.NO_BASELINE: Severity.FAIL})

    with pytest.raises(BaselineMismatch) as raised:
        raise_for_comparison(compare_with_baseline(saved(), [], rules, name="main"))
    assert str(raised.value) == "peak: baseline 'main': no run was saved yet"
    assert raised.value.fields == ()


def test_another_machine_can_be_made_a_failure_that_names_the_fields():
    rules = BaselineRules().strict()

    with pytest.raises(BaselineMismatch, match="not comparable with 6 saved runs: ") as raised:
        raise_for_comparison(
            compare_with_baseline(saved(fingerprint=on(cpu_count=4, python="3.13.0")), history(*ALIKE), rules)
        )
    assert raised.value.fields == ("fingerprint.cpu_count", "fingerprint.python")


def test_strict_rules_fail_what_has_no_answer():
    comparison = compare_with_baseline(saved(series(21.0)), history(*ALIKE), BaselineRules().strict())

    with pytest.raises(InconclusiveComparison) as raised:
        raise_for_comparison(comparison)
    assert str(raised.value) == (
        "peak: the comparison is inconclusive:\n"
        "  - total: p95 inconclusive, 20.0 ms -> 21.0 ms: +5.1 % (-4.8 % to +15.9 %; "
        "6 saved runs, measured spread 3.5 %)"
    )


def test_strict_rules_keep_what_was_set_for_the_rest():
    rules = BaselineRules(severities={FindingKind.NEW_REQUEST: Severity.INFO}).strict()

    assert rules.severity(FindingKind.NEW_REQUEST) is Severity.INFO
    assert rules.severity(FindingKind.VANISHED_REQUEST) is Severity.WARN
    assert rules.severity(FindingKind.ZERO_BASELINE) is Severity.FAIL


def test_by_default_everything_warns_and_only_a_regression_fails():
    rules = BaselineRules()

    assert [kind for kind in FindingKind if rules.severity(kind) is not Severity.WARN] == [FindingKind.REGRESSED]
    assert rules.severity(FindingKind.REGRESSED) is Severity.FAIL


def test_the_most_severe_finding_comes_first():
    candidate = saved(series(31.0), {"GET New": series()})
    comparison = compare_with_baseline(candidate, history(*ALIKE))

    assert [finding.severity for finding in comparison.findings] == [Severity.FAIL, Severity.WARN, Severity.WARN]
    assert comparison.severity is Severity.FAIL


@pytest.mark.parametrize(
    "wrong",
    [
        {"gates": ()},
        {"gates": (("total", "p99_ms"),)},
        {"alpha": 0.5},
        {"max_change_ratio": 0.0},
        {"min_change_ms": -1.0},
        {"min_change_rps": float("nan")},
        {"min_change_failure_ratio": 0.0},
        {"min_runs": 1},
        {"min_apart_s": -1.0},
        {"assumed_spread_ratio": 0.0},
        {"min_spread_ratio": 0.0},
    ],
)
def test_rules_by_which_nothing_could_be_judged_are_refused(wrong):
    (name,) = wrong

    with pytest.raises(ValueError, match=f"^a comparison cannot be judged with {name}="):
        BaselineRules(**wrong)


@pytest.mark.parametrize(
    ("name", "change", "text"),
    [
        ("p95_ms", 0.1234, "+12.3 %"),
        ("p95_ms", -0.0001, "+0.0 %"),
        ("throughput_rps", -1.0, "-100.0 %"),
        ("p95_ms", 12.5, "+1,250.0 %"),
        ("failure_ratio", 0.01234, "+1.23 points"),
    ],
)
def test_a_change_is_shown_with_its_unit(name, change, text):
    assert show_change(name, change) == text


VALUES = st.floats(0.5, 5_000)


@given(st.lists(VALUES, min_size=1, max_size=8), VALUES, st.sampled_from([0.25, 4.0, 1_000.0]))
def test_the_unit_changes_no_outcome(p95s, p95, factor):
    rules = only(P95, min_change_ms=0.0)
    one = compare_with_baseline(saved(series(p95)), history(*p95s), rules)
    other = compare_with_baseline(saved(series(p95 * factor)), history(*[value * factor for value in p95s]), rules)

    assert metric(one, *P95).change == pytest.approx(metric(other, *P95).change, abs=1e-9)
    assert one.outcome is other.outcome


@given(st.lists(VALUES, min_size=5, max_size=8), VALUES, st.floats(1.0, 3.0))
def test_a_slower_run_is_never_judged_better(p95s, p95, factor):
    order = [Outcome.IMPROVED, Outcome.UNCHANGED, Outcome.INCONCLUSIVE, Outcome.REGRESSED]
    outcomes = [
        compare_with_baseline(saved(series(value)), history(*p95s), only(P95)).outcome for value in (p95, p95 * factor)
    ]

    assert order.index(outcomes[0]) <= order.index(outcomes[1])


@given(st.lists(VALUES, min_size=1, max_size=8))
def test_a_run_like_the_mean_is_never_regressed(p95s):
    mean = metric(compare_with_baseline(saved(), history(*p95s)), *P95).baseline
    comparison = compare_with_baseline(saved(series(mean)), history(*p95s), only(P95))

    assert comparison.outcome in {Outcome.UNCHANGED, Outcome.INCONCLUSIVE}
    assert metric(comparison, *P95).change == pytest.approx(0.0, abs=1e-9)


def test_the_same_input_gives_the_same_comparison():
    first, second = (compare_with_baseline(saved(series(21.0)), history(*ALIKE)) for _ in range(2))

    assert first == second
