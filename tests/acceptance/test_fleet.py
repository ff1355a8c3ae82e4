"""Users in worker processes: what reaches pytest's process, and that no difference is left."""

from random import Random

import numpy as np
import pytest

from tailgate import Arrivals, Stage, Stages
from tailgate.dispersion import index_of_dispersion
from tailgate.engine.run import SEED
from tailgate.errors import BadInput
from tailgate.shapes import arrival_times
from tests.acceptance import fleet_users
from tests.acceptance.engine_runs import Watch, run
from tests.acceptance.fleet_runs import reasons_of, run_in_workers
from tests.acceptance.fleet_users import Blocking, Hanging, Lean, Odd, Patient, Strangers, Triangle, Unlucky, Visitor

pytest_plugins = ["tests.acceptance.engine_fixtures"]


def test_every_request_of_two_workers_arrives_once_and_counters_add_up(server):
    shape = Stages(
        Stage(name="quiet", duration_s=0.5, users=3),
        Stage(name="busy", duration_s=0.5, users=8, spawn_rate=50),
        Stage(name="calm", duration_s=0.3, users=1),
    )
    watch = Watch()
    result = run_in_workers([Visitor, Blocking, Lean], server.url, shape, monitor=lambda crew: watch)
    samples = result.samples
    assert len(samples) == server.count == result.counters["visits"]
    assert samples.failures == 0
    assert set(samples.present_keys) == {"GET Visit", "GET Visit_Old", "GET Visit_Lean"}
    assert result.users_reached == (3, 8, 1)
    assert [window.name for window in result.windows] == watch.began == ["quiet", "busy", "calm"]
    first, second = result.generator.workers
    assert (first.name, second.name) == ("1", "2")
    assert first.samples + second.samples == len(samples)
    assert min(first.samples, second.samples) > 0.2 * len(samples)
    assert (np.diff(samples.start_s) >= 0).all()
    quiet, busy, _ = (len(samples.within(window)) for window in result.windows)
    assert busy > quiet
    assert (result.facts.worker_problems, result.facts.stopped, result.facts.unreported) == ((), "", 0)
    # One machine has one clock.
    assert [worker.clock_offset_ms for worker in (first, second)] == [0.0, 0.0]
    assert 0 < max(first.clock_error_ms, second.clock_error_ms) < 1000
    assert result.generator.cpu_ratio > max(first.cpu_ratio, second.cpu_ratio)
    assert result.generator.loop_lag_p99_ms == max(first.loop_lag_p99_ms, second.loop_lag_p99_ms)


def test_arrivals_in_two_workers_are_those_of_one_process(server):
    shape = Arrivals(rate_rps=150, duration_s=2)
    result = run_in_workers([Visitor, Blocking], server.url, shape)
    health, samples = result.generator, result.samples
    due_s = np.fromiter(arrival_times(shape.stages, Random(SEED)), float)
    assert health.due == len(due_s) == len(samples) + health.unsent
    # A busy machine may be late at the very end. A time of day has no more digits than these.
    assert samples.start_s == pytest.approx(due_s[: len(samples)], abs=1e-5)
    assert abs(len(due_s) - 300) < 4 * 300**0.5
    assert index_of_dispersion(samples.start_s, result.windows) <= 2
    assert None not in {health.dispersion, health.send_lag_p99_ms}
    shares = [worker.samples / len(samples) for worker in health.workers]
    # Five standard deviations of a fair coin.
    assert abs(shares[0] - 0.5) < 2.5 / len(samples) ** 0.5


def test_requests_of_an_http_user_have_deadlines_and_outcomes(server):
    result = run_in_workers([Patient], server.url, request_timeout_s=0.3)
    errors = {(error.where, error.error) for error in result.errors}
    assert ("GET Hang", "RequestException: no complete answer within 0.3 s") in errors
    assert any(where == "GET Fail" and "500" in error for where, error in errors)
    assert result.facts.unreported > 0
    assert len(result.samples) + result.facts.unreported == server.count


def test_requests_that_hang_when_an_http_user_is_killed_are_censored(server):
    result = run_in_workers([Hanging], server.url, stop_timeout_s=0.2)
    assert len(result.samples) == result.samples.censored == server.count == 4


def test_deaths_and_exceptions_of_users_are_told_by_kind(server):
    result = run_in_workers([Unlucky], server.url)
    (death,) = result.facts.user_deaths
    assert (death.where, death.count) == ("Unlucky", 4)
    assert {error.error for error in result.facts.task_exceptions} <= {"ValueError: no luck"}
    assert any(reason.startswith("4 users ended before being asked to") for reason in reasons_of(result))


def test_a_locust_shape_moves_the_users_of_all_workers(server):
    result = run_in_workers([Visitor], server.url, Triangle)
    assert result.users_reached == (4,)
    assert result.stages[0].users == 4
    assert 0.7 < result.duration_s < 2


def test_a_shape_that_asks_for_strangers_is_refused(server):
    with pytest.raises(BadInput, match=r"tick\(\) asks for users of Unlucky; the classes of this run: Visitor"):
        run_in_workers([Visitor], server.url, Strangers)


@pytest.mark.parametrize("load", [run, run_in_workers])
def test_odd_texts_and_numbers_are_told_as_well_as_can_be(server, load):
    result = load([Odd], server.url)
    assert len(result.samples) == server.count == result.counters["visits"]
    (error,) = result.facts.task_exceptions
    assert (error.error, error.count) == (r"ValueError: \udc81", server.count)


def test_what_a_stage_measured_is_there_when_it_is_over(server):
    seen = []

    class Counting(Watch):
        def on_stage_end(self, stage, so_far):
            samples = so_far().samples
            seen.append((len(samples), samples.start_s.max()))
            return stage != "first"

    shape = Stages(Stage(name="first", duration_s=0.4, users=4), Stage(name="second", duration_s=5, users=4))
    result = run_in_workers([Visitor], server.url, shape, monitor=lambda crew: Counting())
    ((count, last_s),) = seen
    assert last_s > 0.3
    assert count >= len(result.samples.within(result.windows[0])) - 4
    assert result.duration_s == pytest.approx(0.4)


def test_user_code_finds_locusts_worker_and_its_messages_arrive(server):
    fleet_users.HEARD.clear()
    run_in_workers([fleet_users.Telling], server.url)
    assert sorted(fleet_users.HEARD) == [0, 1]


def test_requests_of_all_workers_are_numbered_in_one_range(server):
    samples = run_in_workers([Visitor, Blocking, Lean], server.url, is_numbered=True).samples
    assert len(set(samples.number)) == len(samples)
    assert samples.number.min() > 0
    # As many in between as one worker may be ahead of the other.
    assert np.ptp(samples.number) < 3 * len(samples)
