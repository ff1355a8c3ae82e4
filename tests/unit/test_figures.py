"""Breaking points and drifts."""

import pytest

from tailgate.figures import broken_checks, with_shape_figures
from tailgate.judge import judge_run
from tailgate.model import Stage, Verdict
from tailgate.shapes import Peak, Soak, Stress
from tests.unit.run_examples import counter, failures, request, requests, run, scenario, total

STRESS = Stress(step_users=10, steps=3, step_s=3)
LIMITS = scenario(total("p95_ms", max=250, stage="step_*"), total("failure_ratio", max=0.01, stage="step_*"))
SOAK = Soak(users=5, ramp_s=1, hold_s=9)


def step(number, latency_ms=10.0, count=100):
    """Requests that start in the step of that number, counted from 1."""
    return requests(count, latency_ms, start_s=3 * (number - 1))


def stressed(*rows, steps=3, limits=LIMITS, **changes):
    """A stress run of so many whole steps, with its figures."""
    fields = {"users_reached": (10, 20, 30)[:steps], "duration_s": 3.0 * steps, "is_stress": True, **changes}
    one = run([row for part in rows for row in part], stages=STRESS.stages, **fields)
    return with_shape_figures(one, STRESS, limits)


def figures(one):
    return one.counters["users_held"], one.notes[-1]


def test_steps_that_all_held_reach_the_top():
    assert figures(stressed(step(1), step(2), step(3))) == (
        30,
        "breaking point not reached: held 30 users, the top of the shape",
    )


def test_the_step_before_the_one_that_broke_is_held():
    assert figures(stressed(step(1), step(2, 900), steps=2)) == (
        10,
        (
            "breaking point: held 10 users, broke at 20: total [step_20]: p95 900 ms breaks <= 250 ms "
            "(n = 100; thresholds.yaml:5)"
        ),
    )


def test_the_worst_of_the_broken_checks_is_told():
    _, note = figures(stressed(step(1), [*step(2, 300), *failures(50, start_s=4)], steps=2))

    assert "broke at 20: total [step_20]: failure_ratio 33.3 % breaks <= 1 %" in note


def test_a_first_step_that_broke_held_nobody():
    assert figures(stressed(step(1, 900), steps=1))[0] == 0


def test_a_step_that_breaks_although_later_ones_hold_is_the_breaking_point():
    assert figures(stressed(step(1), step(2, 900), step(3)))[0] == 10


@pytest.mark.parametrize(("count", "found"), [(58, "58 samples, 59 needed"), (0, "no requests")])
def test_a_step_without_samples_enough_did_not_hold(count, found):
    held, note = figures(stressed(step(1), step(2, count=count), steps=2))

    assert held == 10
    assert note == (
        f"breaking point: held 10 users, broke at 20: total [step_20]: p95 has no data, wanted <= 250 ms: {found} "
        f"(n = {count}; thresholds.yaml:5)"
    )


def test_a_step_whose_level_was_not_reached_did_not_hold():
    one = stressed(step(1), step(2), step(3), users_reached=(10, 17, 30))

    assert figures(one) == (10, "breaking point: held 10 users, broke at 20: 17 of 20 users were reached")


def test_a_step_that_was_cut_short_tells_nothing():
    one = stressed(step(1), step(2, 900), users_reached=(10, 20), duration_s=4.25)

    assert figures(one) == (
        10,
        "breaking point unknown: held 10 users, and at 20 the run ended after 1.2 of 3 s",
    )


def test_a_run_that_ended_between_two_steps_did_not_reach_the_top():
    assert figures(stressed(step(1), step(2), steps=2)) == (
        20,
        "breaking point not reached: held 20 users, and the run ended there",
    )


def test_steps_without_limits_show_nothing():
    one = stressed(step(1), limits=scenario(total("p95_ms", max=250)))

    assert figures(one) == (
        0,
        "breaking point unknown: held 0 users, and at 10 no limit under stages is for step_10",
    )


def test_a_stress_run_is_judged_by_the_users_it_held():
    limits = scenario(*LIMITS.thresholds, counter("users_held", min=20))
    rows = step(1), step(2), step(3, 900)

    assert judge_run(stressed(*rows, limits=limits), limits).verdict is Verdict.PASS
    assert judge_run(stressed(*rows[:1], step(2, 900), steps=2, limits=limits), limits).verdict is Verdict.FAIL


def test_broken_checks_are_those_of_one_step():
    one = run([*step(1, 900), *step(2)], stages=STRESS.stages, is_stress=True)

    assert [check.window for check in broken_checks(one, LIMITS, "step_10")] == ["step_10"]
    assert broken_checks(one, LIMITS, "step_20") == ()


def test_an_optional_request_that_a_step_never_sent_does_not_break_it():
    limits = scenario(*LIMITS.thresholds, request("Rare", "p95_ms", max=250, stage="step_*", allow_no_data=True))

    assert figures(stressed(step(1), step(2), step(3), limits=limits))[0] == 30


# Soak: hold lasts from 1 s to 10 s, so its thirds begin at 1, 4 and 7 s


def soaked(*rows, **changes):
    one = run([row for part in rows for row in part], stages=SOAK.stages, **changes)
    return with_shape_figures(one, SOAK, scenario())


def test_drift_compares_the_first_and_the_last_third_of_hold():
    one = soaked(
        requests(80, 900, start_s=0),  # ramp_up
        requests(60, 20, start_s=1),
        requests(60, 900, start_s=4),
        requests(60, 30, start_s=7),
    )

    assert one.counters == {"p95_drift_ratio": 0.5}
    assert one.notes == ("p95 drifted by +50 % in hold: 20.0 ms in its first third, 30.0 ms in its last",)


def test_getting_faster_is_a_drift_below_zero():
    one = soaked(requests(60, 40, start_s=1), requests(60, 10, start_s=7))

    assert one.counters == {"p95_drift_ratio": -0.75}
    assert one.notes == ("p95 drifted by -75 % in hold: 40.0 ms in its first third, 10.0 ms in its last",)


def test_the_thirds_are_of_what_the_warm_up_leaves():
    # Hold from 4 s to 10 s: thirds begin at 4, 6 and 8 s.
    one = soaked(requests(60, 20, start_s=4), requests(60, 900, start_s=7), requests(60, 20, start_s=8), warmup_s=4)

    assert one.counters == {"p95_drift_ratio": 0}


@pytest.mark.parametrize(
    ("first", "last", "found"), [(58, 1_000, "58 and 1,000"), (60, 0, "60 and 0"), (0, 0, "0 and 0")]
)
def test_thirds_with_too_few_successes_have_no_drift(first, last, found):
    one = soaked(requests(first, start_s=1), requests(last, start_s=7, every_s=0.001), failures(100, start_s=1))

    assert one.counters == {}
    assert one.notes == (
        f"p95 drift unknown: {found} successes in the first and last third of hold, 59 needed in each",
    )


def test_a_limit_on_a_drift_that_is_unknown_fails():
    limits = scenario(counter("p95_drift_ratio", max=0.5))

    assert judge_run(soaked(requests(58, start_s=1)), limits).verdict is Verdict.FAIL


def test_a_soak_that_ended_in_its_ramp_has_no_drift():
    one = soaked(requests(60), duration_s=0.9, users_reached=(5,))

    assert (one.counters, one.notes) == ({}, ())


def test_other_shapes_have_no_figures_of_their_own():
    one = run(requests(60), stages=(Stage(name="hold", duration_s=10, users=5),))

    assert with_shape_figures(one, Peak(), LIMITS) is one
    assert with_shape_figures(one, object(), LIMITS) is one


def test_notes_that_were_there_stay():
    assert soaked(requests(60, start_s=1), notes=("first",)).notes[0] == "first"
    assert stressed(step(1), notes=("first",)).notes[0] == "first"
