"""The rounds of one arm as one run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tailgate.duet import join_rounds
from tailgate.judge import judge_run
from tailgate.model import ErrorCount, Stage
from tailgate.run import RunFacts
from tests.unit.judged_examples import HEALTH
from tests.unit.run_examples import failures, requests, run, scenario, total

ARRIVALS = Stage(name="arrivals", duration_s=10.0, arrival_rate_rps=40.0)


def a_round(rows, **changes):
    return run(rows, **{"stages": (ARRIVALS,), "warmup_s": 2.0, **changes})


def test_rounds_follow_one_another_without_their_warm_ups():
    first = a_round([*requests(3, 5_000.0), *requests(2, start_s=2.0)])
    second = a_round([*requests(1, start_s=2.5, key="POST Buy"), *failures(1, start_s=9.0)])

    joined = join_rounds([first, second])

    assert joined.samples.start_s.tolist() == pytest.approx([0.0, 0.01, 8.5, 15.0])
    assert [joined.samples.keys[index] for index in joined.samples.key_index] == [
        "GET Home",
        "GET Home",
        "POST Buy",
        "GET Home",
    ]
    assert (joined.total.samples, joined.total.failures, joined.total.max_ms) == (4, 1, 10.0)
    assert (joined.duration_s, joined.warmup_s) == (16.0, 0.0)


def test_each_round_is_a_stage_with_the_share_of_the_arrivals_that_an_arm_gets():
    joined = join_rounds([a_round([]), a_round([], duration_s=7.0)])

    assert joined.stages == (
        Stage(name="round 1", duration_s=8.0, arrival_rate_rps=20.0),
        Stage(name="round 2", duration_s=5.0, arrival_rate_rps=20.0),
    )
    assert [(window.start_s, window.end_s) for window in joined.windows] == [(0.0, 8.0), (8.0, 13.0)]


def test_a_round_that_ended_in_its_warm_up_is_no_stage():
    joined = join_rounds([a_round(requests(2, start_s=3.0)), a_round(requests(2), duration_s=1.0)])

    assert [stage.name for stage in joined.stages] == ["round 1"]
    assert len(joined.samples) == 2


def test_counts_are_added_up():
    once, twice = ErrorCount(where="GET Home", error="404", count=1), ErrorCount(where="POST Buy", error="500", count=2)
    first = a_round([], errors=(once,), counters={"sold": 3, "kept": 1}, notes=("first", "both"))
    second = a_round([], errors=(twice, once), counters={"sold": 4}, notes=("both",))

    joined = join_rounds([first, second])

    assert joined.errors == (replace(once, count=2), twice)
    assert joined.counters == {"sold": 7, "kept": 1}
    assert joined.notes == ("first", "both")


def test_the_worst_round_counts_for_what_was_late_and_the_mean_for_what_was_busy():
    calm = replace(HEALTH, due=100, unsent=1, send_lag_p99_ms=1.0, dispersion=1.0, blocked_ratio=0.0)
    busy = replace(calm, loop_lag_p99_ms=9.0, cpu_ratio=0.61, host_cpu_ratio=None, unsent=3, send_lag_p99_ms=4.0)

    joined = join_rounds([a_round([], generator=calm), a_round([], generator=busy)]).generator

    assert (joined.loop_lag_p99_ms, joined.send_lag_p99_ms) == (9.0, 4.0)
    assert (joined.cpu_ratio, joined.host_cpu_ratio) == (pytest.approx(0.51), 0.83)
    assert (joined.due, joined.unsent) == (200, 4)
    assert join_rounds([a_round([])]).generator == HEALTH


def test_events_of_any_round_are_events_of_the_whole():
    dead = ErrorCount(where="Shopper", error="KeyError", count=1)
    first = RunFacts(user_deaths=(dead,), unreported=1, clock_jump_s=-0.3, stack_deaths=("nginx ended",))
    second = RunFacts(user_deaths=(dead,), unreported=2, clock_jump_s=0.1, interrupted="Ctrl-C", stopped="quit()")

    joined = join_rounds([a_round([], facts=first), a_round([], facts=second)]).facts

    assert joined == RunFacts(
        user_deaths=(replace(dead, count=2),),
        unreported=3,
        clock_jump_s=-0.3,
        stack_deaths=("nginx ended",),
        interrupted="Ctrl-C",
        stopped="quit()",
    )


def test_every_event_of_a_run_is_joined():
    told = RunFacts(
        user_deaths=(ErrorCount(where="A", error="a", count=1),),
        task_exceptions=(ErrorCount(where="B", error="b", count=1),),
        listener_errors=(ErrorCount(where="C", error="c", count=1),),
        unreported=1,
        unstoppable_users=1,
        stack_deaths=("d",),
        action_errors=("e",),
        clock_jump_s=1.0,
        stopped="f",
        paced_classes=("g",),
        interrupted="h",
        cut="i",
    )
    assert join_rounds([a_round([], facts=told)]).facts == told


def test_one_round_is_judged_as_the_run_that_it_was():
    one = a_round([*requests(200, start_s=2.0), *failures(3, start_s=5.0)])
    limit = scenario(total("p95_ms", max=20.0))

    whole, joined = (judge_run(each, limit) for each in (one, join_rounds([one])))

    assert (joined.total, joined.requests, joined.verdict) == (whole.total, whole.requests, whole.verdict)
