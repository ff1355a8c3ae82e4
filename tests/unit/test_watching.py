"""What the plugin does while a run goes on."""

import pytest

from tailgate.engine import LiveRun
from tailgate.model import Stage
from tailgate.samples import Outcome, SampleLog
from tailgate.shapes import Arrivals, Peak, Spike, Stress
from tailgate.watching import RunMonitor, _left, _users_at
from tests.unit.run_examples import requests, run, scenario, total

HOLD = (Stage(name="hold", duration_s=100, users=1),)


class Line:
    """Keeps what it is to show."""

    def __init__(self):
        self.shown = []

    def show(self, progress):
        self.shown.append(progress)


def monitor(*limits, shape=None, stages=HOLD, actions=None, aborts_on_fail=True, **settings):
    return RunMonitor(
        line=Line(),
        scenario=scenario(*limits, **settings),
        shape=shape,
        stages=stages,
        actions=actions or {},
        aborts_on_fail=aborts_on_fail,
    )


def live(*parts, elapsed_s=50.0, left_s: float | None = 50.0, user_s=50.0):
    """A run of one user that has sent so many successes and failures, each part from a start on: ``(0, 60, 1)``."""
    log = SampleLog()
    for start_s, successes, failures in parts:
        for number in range(successes + failures):
            log.add("GET", "Home", start_s, 10.0, Outcome.SUCCESS if number < successes else Outcome.FAILURE)
    return LiveRun(stage="hold", users=1, elapsed_s=elapsed_s, left_s=left_s, log=log, user_s=user_s)


# A hundred requests in half of the run: at most 200 more, so 1 % is 3 failures.


@pytest.mark.parametrize(("failures", "is_cut"), [(3, False), (4, True)])
def test_a_run_is_cut_when_its_budget_is_spent(failures, is_cut):
    watching = monitor(total("failure_ratio", max=0.01))

    assert bool(watching.on_progress(live((0, 100 - failures, failures)))) is is_cut


def test_a_run_is_only_cut_if_that_was_asked_for():
    assert monitor(total("failures", max=0), aborts_on_fail=False).on_progress(live((0, 0, 100))) == ""


def test_the_warm_up_spends_no_budget_but_tells_the_rate_of_requests():
    # 100 requests in a warm-up of 40 s and 50 after it are 3 a second, so up to 300 more.
    watching = monitor(total("failure_ratio", max=0.01), warmup_s=40)

    assert watching.on_progress(live((0, 0, 100), (40, 47, 3))) == ""
    assert monitor(total("failure_ratio", max=0.01), warmup_s=40).on_progress(live((0, 0, 100), (40, 46, 4))) == (
        "4 of 50 requests failed, and 1 % of at most 350 cannot be kept any more (thresholds.yaml:5)"
    )


def test_a_shape_that_only_knows_itself_when_it_ends_may_always_recover():
    assert monitor(total("failure_ratio", max=0.01)).on_progress(live((0, 0, 100), left_s=None)) == ""


def test_the_budget_is_looked_at_once_a_second():
    watching = monitor(total("failures", max=0))

    assert watching.on_progress(live(elapsed_s=1.0)) == ""
    assert watching.on_progress(live((0, 0, 1), elapsed_s=1.9)) == ""
    assert watching.on_progress(live((0, 0, 1), elapsed_s=2.0)) != ""


def test_progress_tells_what_happened_since_the_last_look():
    watching = monitor()
    watching.on_progress(live((0, 100, 0), elapsed_s=50))
    watching.on_progress(live((0, 100, 0), (50, 30, 10), elapsed_s=52, left_s=48))

    shown = watching._line.shown[-1]

    assert (shown.stage, shown.users, shown.throughput_rps, shown.failures) == ("peak/hold", 1, 20, 10)
    assert (shown.p95_ms, shown.left_s) == (10, 48)


def test_a_stress_run_ends_at_the_first_step_that_breaks():
    stress = Stress(step_users=10, steps=2, step_s=3)
    watching = monitor(total("p95_ms", max=250, stage="step_*"), shape=stress, stages=stress.stages)
    quick, slow = (run(requests(60, ms), stages=stress.stages, is_stress=True) for ms in (10, 900))

    assert watching.on_stage_end("step_10", lambda: quick)
    assert not watching.on_stage_end("step_10", lambda: slow)


def test_other_shapes_go_on_whatever_breaks():
    watching = monitor(total("p95_ms", max=250, stage="hold"), shape=Peak(), stages=Peak().stages)

    assert watching.on_stage_end("hold", lambda: pytest.fail("nobody needs to look"))


def test_an_action_is_done_when_its_stage_begins_and_what_it_raises_is_told():
    done = []

    def fail():
        raise OSError("gone")

    watching = monitor(actions={"spike": lambda: done.append("spike"), "recovery": fail})
    for stage in ("normal", "spike", "recovery"):
        watching.on_stage_begin(stage)

    assert watching.join_actions() == ("at_stage 'recovery' raised OSError: gone",)
    assert done == ["spike"]


@pytest.mark.parametrize(
    ("shape", "elapsed_s", "left"),
    [
        (Spike(users=5, spike_users=30, normal_s=4, spike_s=2, recovery_s=4), 0, 20 + 60 + 20),
        (Spike(users=5, spike_users=30, normal_s=4, spike_s=2, recovery_s=4), 5, 30 + 20),
        (Peak(users=10, ramp_s=2, hold_s=6, ramp_down_s=2), 0, 10 + 60 + 10),
        (Peak(users=10, ramp_s=2, hold_s=6, ramp_down_s=2), 10, 0),
        (Peak(users=10, ramp_s=2, hold_s=6, ramp_down_s=2), 60, 0),
    ],
)
def test_what_a_shape_still_asks_for_is_known_to_a_few_percent(shape, elapsed_s, left):
    assert _left(shape.stages, elapsed_s, _users_at) == pytest.approx(left, rel=0.03)


# At 10 tasks a second for 100 s: half of 1,000 tasks are still to come, each as many requests as the others made.


@pytest.mark.parametrize(
    ("requests_a_task", "failures", "is_cut"), [(1, 15, False), (1, 16, True), (3, 45, False), (3, 46, True)]
)
def test_the_outlook_of_an_open_run_follows_the_rate_and_the_requests_of_a_task(requests_a_task, failures, is_cut):
    stages = Arrivals(rate_rps=10, duration_s=100).stages
    watching = monitor(total("failure_ratio", max=0.01), stages=stages)
    sent = 500 * requests_a_task

    assert bool(watching.on_progress(live((0, sent - failures, failures)))) is is_cut


def test_tasks_that_still_wait_for_their_first_answer_count_as_one_request_each():
    stages = Arrivals(rate_rps=10, duration_s=100).stages
    watching = monitor(total("failure_ratio", max=0.01), stages=stages)

    # 60 requests of 500 tasks, and up to 1,000 more: 1 % are 10.
    assert watching.on_progress(live((0, 50, 10))) == ""
    assert "of at most 1,060 cannot be kept any more" in monitor(
        total("failure_ratio", max=0.01), stages=stages
    ).on_progress(live((0, 49, 11)))
