"""Reasons against a run, one by one."""

import dataclasses

import pytest

from tailgate.checks import check_run
from tailgate.model import ErrorCount, GeneratorLimits, Severity, Stage
from tailgate.run import RunFacts
from tailgate.samples import Outcome
from tailgate.validity import find_reasons, render_errors
from tests.unit.judged_examples import HEALTH
from tests.unit.run_examples import counter, failures, request, requests, run, scenario, total

LIMIT = total("failure_ratio", max=1)
GOOD = requests(400)
UP = Stage(name="up", duration_s=2, users=5)
HOLD = Stage(name="hold", duration_s=8, users=20)
BOOM = ErrorCount(where="Shopper", error="ValueError: boom", count=2)
LOST = ErrorCount(where="Browser", error="KeyError: 'id'", count=7)


def reasons_of(one, *thresholds, **settings):
    limits = scenario(*(thresholds or [LIMIT]), **settings)
    return find_reasons(one, limits, check_run(one, limits))


def reasons_for(**facts):
    return reasons_of(run(GOOD, facts=RunFacts(**facts)))


def busy(**figures):
    return run(requests(400, 100), generator=dataclasses.replace(HEALTH, **figures))


def test_a_good_run_has_no_reason_against_it():
    assert reasons_of(run(GOOD)) == ()


# Ended from outside


def test_an_interrupted_run_is_invalid():
    assert reasons_for(interrupted="Ctrl-C") == ("interrupted by Ctrl-C after 10.0 s",)


def test_a_run_that_the_users_code_stopped_is_invalid():
    assert reasons_for(stopped="user code stopped Locust's runner") == (
        "ended early, after 10.0 s: user code stopped Locust's runner",
    )


def test_a_stack_that_died_is_told_in_its_own_words():
    assert reasons_for(stack_deaths=("product-1 died with signal 9", "nginx ended with code 1")) == (
        "product-1 died with signal 9",
        "nginx ended with code 1",
    )


def test_an_action_that_raised_is_told_in_its_own_words():
    assert reasons_for(action_errors=("at_stage 'spike' raised OSError: gone",)) == (
        "at_stage 'spike' raised OSError: gone",
    )


@pytest.mark.parametrize(("jump_s", "told"), [(0.1, ()), (-0.1, ()), (0.11, ("+0.11",)), (-3600.5, ("-3600.50",))])
def test_a_jump_of_the_wall_clock_makes_start_times_worthless(jump_s, told):
    assert reasons_for(clock_jump_s=jump_s) == tuple(
        f"the wall clock jumped by {figure} s during the run" for figure in told
    )


# Nothing measured


def test_a_run_without_a_request_is_invalid():
    assert reasons_of(run()) == ("no samples: not one request was made",)


def test_a_run_with_requests_in_its_warm_up_only_is_invalid():
    assert reasons_of(run(requests(30), warmup_s=2.5)) == (
        "no samples in the judged time: none of 30 requests started between 2.5 s, the end of the warm-up, and 10 s",
    )


def test_a_run_with_requests_after_its_end_only_is_invalid():
    assert reasons_of(run(requests(1, start_s=10))) == (
        "no samples in the judged time: none of 1 request started between 0 s, the end of the warm-up, and 10 s",
    )


def test_a_run_of_which_nothing_is_checked_is_invalid():
    nothing = ("nothing was checked: no limit of the scenario applies to a request that was made",)

    assert reasons_of(run(GOOD), request("Rare", "mean_ms", max=5, allow_no_data=True)) == nothing
    assert find_reasons(run(GOOD), scenario(), ()) == nothing


def test_limits_for_information_check_nothing():
    known = total("failure_ratio", max=0, severity=Severity.INFO)

    assert reasons_of(run(GOOD), known, known) == ("nothing was checked: every limit that applies is of severity info",)
    for severity in (Severity.WARN, Severity.FAIL):
        assert reasons_of(run(GOOD), known, total("mean_ms", max=5, severity=severity)) == ()


def test_a_stress_run_with_limits_for_its_steps_alone_is_invalid_and_says_what_to_add():
    stress = run(GOOD, stages=[UP, HOLD], is_stress=True, counters={"users_held": 0})
    steps = total("failure_ratio", max=0, stage="*")

    assert reasons_of(stress, steps) == (
        (
            "nothing was checked: limits for the steps of a stress run fail nothing by themselves; add "
            "counters: {users_held: {min: 5}}, or as many users as it has to hold"
        ),
    )
    assert reasons_of(stress, total("mean_ms", max=5, severity=Severity.INFO)) == (
        "nothing was checked: every limit that applies is of severity info",
    )
    assert reasons_of(stress, steps, counter("users_held", min=5)) == ()


def test_a_run_that_was_cut_although_no_check_fails_is_invalid():
    one = run(GOOD, facts=RunFacts(cut="5 of 60 requests failed"))

    assert reasons_of(one, total("failure_ratio", max=0.01)) == (
        "the run was cut, but no check fails on what was measured until then: 5 of 60 requests failed",
    )


def test_a_run_that_was_cut_because_it_failed_needs_no_more_samples():
    one = run([*requests(40), *failures(20)], duration_s=2, facts=RunFacts(cut="20 of 60 requests failed"))

    assert reasons_of(one, total("failure_ratio", max=0.01), total("p95_ms", max=250)) == ()


# Users


def test_a_level_that_was_never_reached_makes_the_run_invalid():
    one = run(GOOD, stages=[UP, HOLD], users_reached=(5, 13))

    assert reasons_of(one) == ("stage 'hold' never reached its level: 13 of 20 users",)


def test_a_stage_that_was_cut_short_need_not_have_reached_its_level():
    one = run([*failures(10)], stages=[UP, HOLD], users_reached=(5, 13), duration_s=4, facts=RunFacts(cut="failures"))

    assert reasons_of(one, total("failure_ratio", max=0.01)) == ()


def test_a_stage_that_ramps_down_is_above_its_level():
    down = Stage(name="down", duration_s=2, users=0, spawn_rate=10)

    assert reasons_of(run(GOOD, stages=[HOLD, down], users_reached=(20, 20))) == ()


def test_users_that_died_are_counted_with_each_cause_once():
    assert reasons_for(user_deaths=(BOOM, LOST)) == (
        "9 users ended before being asked to: Browser: KeyError: 'id' (x7); Shopper: ValueError: boom (x2)",
    )


def test_one_user_that_died_is_one_user():
    (reason,) = reasons_for(user_deaths=(dataclasses.replace(BOOM, count=1),))

    assert reason == "1 user ended before being asked to: Shopper: ValueError: boom (x1)"


def test_users_that_could_not_be_stopped_make_the_run_invalid():
    assert reasons_for(unstoppable_users=3) == ("3 users did not stop when killed",)


# Exceptions


def test_an_exception_of_a_task_makes_the_run_invalid():
    assert reasons_for(task_exceptions=(BOOM,)) == (
        "tasks raised 2 exceptions, allowed are 0 (max_task_exceptions): Shopper: ValueError: boom (x2)",
    )


def test_as_many_exceptions_as_the_scenario_allows_are_no_reason():
    one = run(GOOD, facts=RunFacts(task_exceptions=(BOOM, LOST)))

    assert reasons_of(one, max_task_exceptions=9) == ()
    assert len(reasons_of(one, max_task_exceptions=8)) == 1


def test_a_listener_that_raised_makes_the_run_invalid():
    assert reasons_for(listener_errors=(ErrorCount(where="request", error="OSError: full", count=40),)) == (
        "listeners of Locust's events raised: request: OSError: full (x40)",
    )


def test_the_most_frequent_errors_are_shown_and_the_rest_is_counted():
    errors = [ErrorCount(where="A", error=f"E{n}", count=n) for n in range(1, 6)]

    assert render_errors(errors) == "A: E5 (x5); A: E4 (x4); A: E3 (x3); and 2 other kinds"
    assert render_errors(errors[1:]) == "A: E5 (x5); A: E4 (x4); A: E3 (x3); and 1 other kind"
    assert render_errors(errors, most=5).startswith("A: E5 (x5); ")


# Lost requests


def test_requests_that_hung_at_the_end_make_the_run_invalid():
    hung = [("GET Home", 9.0, waited_ms, Outcome.CENSORED) for waited_ms in (900.0, 6_040.0)]

    assert reasons_of(run([*GOOD, *hung])) == (
        "2 requests still without an answer when the run ended; the oldest had waited 6.0 s",
    )


def test_requests_without_an_outcome_make_the_run_invalid():
    (reason,) = reasons_for(unreported=1)

    assert reason == (
        "1 request without an outcome: a response taken with catch_response=True was not used in a with-block, or its "
        "block was left by an exception"
    )


# The generator


@pytest.mark.parametrize(("lag_ms", "is_too_late"), [(20.0, False), (20.01, True)])
def test_loop_lag_is_held_against_the_judged_latency(lag_ms, is_too_late):
    assert bool(reasons_of(busy(loop_lag_p99_ms=lag_ms))) is is_too_late


def test_loop_lag_is_told_beside_its_limit():
    (reason,) = reasons_of(busy(loop_lag_p99_ms=20.01))

    assert reason == (
        "generator saturated: its event loop was late by 20.01 ms (p99), more than 20.0 ms is too much beside a p95 of "
        "100 ms; use fewer users or longer waits"
    )


def test_a_lag_below_the_coarseness_of_timers_is_never_a_reason():
    one = run(requests(400, 1.0), generator=dataclasses.replace(HEALTH, loop_lag_p99_ms=10.0))

    assert reasons_of(one) == ()
    assert len(reasons_of(one, generator=GeneratorLimits(min_loop_lag_ms=1.0))) == 1


def test_a_generator_that_used_its_whole_core_was_saturated():
    assert reasons_of(busy(cpu_ratio=0.95)) == ()
    assert reasons_of(busy(cpu_ratio=0.954)) == (
        "generator saturated: it used 95.4 % of one core, allowed are 95 %; use fewer users or longer waits",
    )
    assert reasons_of(busy(cpu_ratio=0.954), generator=GeneratorLimits(max_cpu_ratio=0.96)) == ()


def test_a_saturated_generator_of_an_open_load_is_advised_about_its_rate():
    lagging, loaded = reasons_of(busy(loop_lag_p99_ms=20.01, cpu_ratio=0.954, due=400))

    assert lagging.endswith("; lower the rate")
    assert loaded.endswith("; lower the rate")


# Too few samples


@pytest.mark.parametrize(("metric", "needed"), [("p95_ms", 59), ("p99_ms", 299), ("p99.9_ms", 2_995)])
def test_a_percentile_over_too_few_samples_makes_the_run_invalid(metric, needed):
    limit = total(metric, max=250)
    enough, too_few = run(requests(needed, every_s=0.001)), run(requests(needed - 1, every_s=0.001))

    assert reasons_of(enough, limit) == ()
    assert reasons_of(too_few, limit) == (
        f"total: {needed - 1:,} samples, {metric} needs {needed:,} (thresholds.yaml:5)",
    )


def test_each_request_and_stage_has_to_have_samples_enough():
    one = run([*requests(1), *requests(58, start_s=2)], stages=[UP, HOLD])

    assert reasons_of(one, request("Home", "p95_ms", max=250, stage="*")) == (
        "GET Home [up]: 1 sample, p95_ms needs 59 (thresholds.yaml:7)",
        "GET Home [hold]: 58 samples, p95_ms needs 59 (thresholds.yaml:7)",
    )
    assert reasons_of(one, request("Home", "p99_ms", max=250)) == (
        "GET Home: 59 samples, p99_ms needs 299 (thresholds.yaml:7)",
    )


def test_the_scenarios_own_number_of_samples_counts_instead():
    one = run(requests(20))

    assert reasons_of(one, total("p95_ms", max=250, min_samples=20)) == ()
    assert reasons_of(one, total("failure_ratio", max=1, min_samples=21)) == (
        "total: 20 samples, min_samples asks for 21 (thresholds.yaml:5)",
    )


def test_only_successes_count_for_a_percentile():
    one = run([*requests(58), *failures(400, start_s=1)])

    assert reasons_of(one, total("p95_ms", max=250)) == ("total: 58 samples, p95_ms needs 59 (thresholds.yaml:5)",)


def test_a_run_of_only_failures_is_a_failure_of_the_service_and_not_invalid():
    assert reasons_of(run(failures(400)), total("p95_ms", max=250), total("failure_ratio", max=0.01)) == ()


def test_neither_warnings_nor_counters_nor_steps_ask_for_samples():
    stress = run(requests(5), stages=[HOLD], is_stress=True, counters={"users_held": 20})

    assert reasons_of(run(requests(5)), total("p95_ms", max=250, severity=Severity.WARN)) == ()
    assert reasons_of(stress, total("p95_ms", max=250, stage="*"), counter("users_held", min=5)) == ()


def test_every_reason_is_told():
    one = run(facts=RunFacts(interrupted="SIGTERM", user_deaths=(BOOM,), listener_errors=(LOST,), unreported=2))

    assert [reason.split(":")[0] for reason in reasons_of(one)] == [
        "interrupted by SIGTERM after 10.0 s",
        "no samples",
        "2 users ended before being asked to",
        "listeners of Locust's events raised",
        "2 requests without an outcome",
    ]


# Pace


def paced(facts=None, **figures):
    return run(requests(400, 100), generator=dataclasses.replace(HEALTH, **figures), facts=facts or RunFacts())


@pytest.mark.parametrize(("unsent", "is_told"), [(0, False), (20, False), (21, True)])
def test_tasks_that_were_due_and_not_sent_make_a_run_invalid(unsent, is_told):
    told = (
        f"{unsent} of 1,000 tasks that were due were not sent, since every user was busy or could not start; "
        "at least 98 % must be: lower the rate, or find out why the service hangs"
    )

    assert reasons_of(paced(due=1000, unsent=unsent)) == ((told,) if is_told else ())


def test_a_run_in_which_nothing_was_due_is_told_once():
    assert reasons_of(run(generator=dataclasses.replace(HEALTH, due=0, unsent=0))) == (
        "no samples: not one request was made",
    )


# 5 % of a p95 of 100 ms.
@pytest.mark.parametrize(("lag_ms", "shown"), [(5.0, None), (5.04, "5.04"), (80.0, "80.0")])
def test_requests_that_are_sent_late_make_a_run_invalid(lag_ms, shown):
    told = (
        f"generator saturated: requests were sent {shown} ms late (p99), more than 5.0 ms is too much beside a p95 of "
        "100 ms; lower the rate"
    )

    assert reasons_of(paced(send_lag_p99_ms=lag_ms)) == ((told,) if shown else ())


def test_a_send_lag_of_3_ms_is_never_held_against_a_run():
    quick = run(requests(400, 10), generator=dataclasses.replace(HEALTH, send_lag_p99_ms=3.0))

    assert reasons_of(quick) == ()


def test_limits_of_the_pace_can_be_set():
    limits = GeneratorLimits(min_achieved_ratio=0.5, min_send_lag_ms=100.0, max_dispersion=20.0)

    assert reasons_of(paced(due=10, unsent=5, send_lag_p99_ms=80.0, dispersion=19.0), generator=limits) == ()


def test_herds_of_an_open_run_make_it_invalid():
    assert reasons_of(paced(due=10, unsent=0, dispersion=3.25)) == (
        "requests were sent in herds (index of dispersion 3.25 > 2): the generator was held up; lower the rate",
    )


def test_herds_of_users_that_pace_make_a_run_invalid_and_the_message_says_what_to_use():
    facts = RunFacts(paced_classes=("Browser", "Buyer"))

    assert " ".join(reasons_of(paced(facts, dispersion=28.0))) == (
        "requests were sent in herds (index of dispersion 28.00 > 2): constant_pacing and constant_throughput keep "
        "the users of Browser, Buyer in step; use Arrivals, or between() as their wait_time"
    )
    assert reasons_of(paced(facts, dispersion=2.0)) == ()


def test_herds_of_other_users_are_told_as_a_figure_only():
    assert reasons_of(paced(dispersion=28.0)) == ()
