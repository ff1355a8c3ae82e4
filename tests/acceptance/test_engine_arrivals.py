"""The open model: tasks start at their rate whatever the service does, and latencies count from when they were due."""

import threading
import time
from urllib.request import urlopen

import gevent
import numpy as np
import pytest
from locust import FastHttpUser, TaskSet, constant, constant_pacing, constant_throughput, events, tag, task
from locust.exception import StopUser

from tailgate import Stage, Stages
from tailgate.dispersion import index_of_dispersion
from tailgate.engine import arrivals, pool
from tailgate.errors import BadInput
from tailgate.model import Scenario
from tailgate.samples import Outcome
from tailgate.validity import find_reasons
from tests.acceptance import quiet_end
from tests.acceptance.engine_runs import Watch, hold, run, visitor
from tests.acceptance.test_engine_isolation import assert_back_to, measured  # noqa: F401 - a fixture

pytest_plugins = ["tests.acceptance.engine_fixtures"]


def reasons_of(result):
    return find_reasons(result, Scenario(name="x"), ())


def arrive(users, server, rate_rps=100.0, duration_s=1.0, **options):
    return run(users, server.url, quiet_end.arrivals(rate_rps, duration_s), **options)


def with_tasks(*tasks, **attributes):
    return visitor("", tasks=list(tasks), **attributes)


class Stall(Watch):
    """Has the service stall for half a second, once, a while after the beginning."""

    def __init__(self, url, at_s=0.3):
        super().__init__()
        self.url = url
        self.at_s = at_s
        self.threads = []

    def on_progress(self, live):
        if live.elapsed_s >= self.at_s and not self.threads:
            self.threads.append(threading.Thread(target=lambda: urlopen(f"{self.url}/stall/500", timeout=10).close()))
            self.threads[0].start()
        return super().on_progress(live)


def test_every_task_that_was_due_is_sent_and_recorded_once(server):
    result = arrive(visitor("/"), server, 150, 1.0)
    health = result.generator
    # Four standard deviations of a Poisson number; it is the same number each time.
    assert abs(health.due - 150) < 4 * 150**0.5
    assert (len(result.samples), health.unsent) == (health.due, 0)
    assert server.count == health.due
    assert result.samples.failures == 0
    assert ((result.samples.start_s >= 0) & (result.samples.start_s < 1.0)).all()
    assert result.duration_s == 1.0 + quiet_end.QUIET_S
    assert result.users_reached[0] >= 4


def test_two_runs_have_the_same_arrivals_of_the_same_classes_and_tasks(server):
    class Reader(FastHttpUser):
        weight = 3

        @task(2)
        def read(self):
            self.client.get("/read")

        @task
        def list_all(self):
            self.client.get("/list")

    class Writer(FastHttpUser):
        @task
        def write(self):
            self.client.post("/write")

    def outline():
        samples = arrive([Reader, Writer], server, 200, 0.5).samples
        return samples.start_s.tolist(), [samples.keys[index] for index in samples.key_index]

    (first_s, first_keys), (second_s, second_keys) = outline(), outline()
    assert first_keys == second_keys
    # A time of day has no more digits than these.
    assert first_s == pytest.approx(second_s, abs=1e-5)


def test_the_rate_moves_by_stages_and_ramps(server):
    shape = Stages(
        Stage(name="climb", duration_s=0.6, arrival_rate_rps=200, ramp_s=0.6),
        Stage(name="day", duration_s=0.4, arrival_rate_rps=200),
        Stage(name="night", duration_s=0.4, arrival_rate_rps=50),
        quiet_end.QUIET,
    )
    watch = Watch()
    result = run(visitor("/"), server.url, shape, monitor=watch)
    climb, day, night, _ = (len(result.samples.within(window)) for window in result.windows)
    assert abs(climb - 60) < 4 * 60**0.5
    assert abs(day - 80) < 4 * 80**0.5
    assert abs(night - 20) < 4 * 20**0.5
    assert climb + day + night == server.count == result.generator.due
    assert watch.began == ["climb", "day", "night", "quiet"]


def test_a_stall_shows_in_every_request_that_was_due_meanwhile_and_hardly_in_a_closed_run(server):
    monitor = Stall(server.url)
    samples = arrive(visitor("/x"), server, 100, 1.5, monitor=monitor).samples
    late = samples.select(samples.latency_ms > 100)
    # At 100/s some 40 are due in the first 0.4 of the 0.5 s, and the one due first waits longest.
    assert 25 <= len(late) <= 100
    first = late.latency_ms.argmax()
    assert late.latency_ms[first] > 400
    expected_ms = 1000 * (late.start_s[first] - late.start_s) + late.latency_ms[first]
    # Most of them: what the machine held up at another time was late as well.
    assert np.median(np.abs(late.latency_ms - expected_ms)) < 120

    closed = run(visitor("/x", wait_s=0.02), server.url, hold(2, 1.5), monitor=Stall(server.url)).samples
    assert (closed.latency_ms > 100).sum() < len(late) / 3
    for thread in monitor.threads:
        thread.join()


def test_a_task_that_starts_late_is_late_from_when_it_was_due(server):
    def block_once(user):
        if not blocked:
            blocked.append(True)
            time.sleep(0.2)  # The event loop, so the arrivals of that time are started late.
        user.client.get("/")

    blocked = []
    result = arrive(with_tasks(block_once), server, 100, 0.6)
    assert len(result.samples) == server.count == result.generator.due
    assert result.generator.send_lag_p99_ms > 100
    assert (result.samples.latency_ms > 50).sum() >= 8
    assert any("requests were sent" in reason and "late (p99)" in reason for reason in reasons_of(result))


def test_only_the_first_request_of_a_task_counts_from_when_it_was_due(server):
    def think(user):
        user.client.get("/first")
        gevent.sleep(0.1)
        user.client.get("/second")

    result = arrive(with_tasks(think), server, 50, 0.5)
    by_key = dict(result.samples.by_key())
    assert len(by_key["GET /first"]) == len(by_key["GET /second"]) == result.generator.due
    assert by_key["GET /second"].start_s.min() > by_key["GET /first"].start_s.min() + 0.1
    assert sorted(by_key["GET /second"].latency_ms)[len(by_key["GET /second"]) // 2] < 90


def test_when_every_user_is_busy_tasks_are_counted_as_unsent_and_the_run_is_invalid(server, monkeypatch):
    monkeypatch.setattr(pool, "MOST_USERS", 5)
    result = arrive(visitor("/delay/300/x"), server, 100, 0.6)
    health = result.generator
    assert len(result.samples) == server.count == health.due - health.unsent
    assert health.unsent > health.due / 2
    assert result.users_reached == (5, 5)
    assert any(
        reason.startswith(f"{health.unsent:,} of {health.due:,} tasks that were due were not sent")
        for reason in reasons_of(result)
    )


def test_requests_that_hang_are_censored_from_when_they_were_due(server):
    result = arrive(visitor("/hang"), server, 40, 0.5, stop_timeout_s=0.2)
    samples = result.samples
    assert len(samples) == samples.censored == server.count == result.generator.due
    # Each waited from when it was due to the end, which was the same for all.
    ends_s = samples.start_s + samples.latency_ms / 1000
    assert ends_s.max() - ends_s.min() < 0.2
    assert ends_s.min() >= 0.5 + quiet_end.QUIET_S + 0.2


class Shop(FastHttpUser):
    weight = 3

    @tag("read")
    @task(3)
    def read(self):
        self.client.get("/read")

    @tag("write")
    @task
    def write(self):
        self.client.get("/write")


class Admin(FastHttpUser):
    @tag("read", "admin")
    @task
    def audit(self):
        self.client.get("/audit")


def test_weights_of_classes_and_tasks_are_honoured(server):
    result = arrive([Shop, Admin], server, 400, 1.0)
    counts = {key: len(samples) for key, samples in result.samples.by_key()}
    due = result.generator.due
    for key, share in {"GET /read": 9 / 16, "GET /write": 3 / 16, "GET /audit": 4 / 16}.items():
        assert abs(counts[key] - share * due) < 4 * (share * (1 - share) * due) ** 0.5


@pytest.mark.parametrize(("tags", "paths"), [(["read"], {"/read", "/audit"}), (["read", "admin"], {"/read", "/audit"})])
def test_tags_are_honoured(server, tags, paths):
    arrive([Shop, Admin], server, 100, 0.3, tags=tags)
    assert {key.removeprefix("GET ") for key in server.received()} == paths


def test_a_class_of_weight_zero_gets_no_tasks(server):
    arrive([Shop, visitor("/never", weight=0)], server, 100, 0.2)
    assert "GET /never" not in server.received()


def test_users_start_before_the_run_and_keep_their_state(server):
    class Member(FastHttpUser):
        def on_start(self):
            self.client.get("/login")
            self.tasks_done = 0

        @task
        def work(self):
            self.tasks_done += 1
            self.client.get("/work")
            self.counters.add("done")

        def on_stop(self):
            self.counters.add("kept", self.tasks_done)

    result = arrive(Member, server, 50, 0.5)
    due = result.generator.due
    assert result.counters == {"done": due, "kept": due}
    received = server.received()
    assert received["GET /work"] == due
    # More users than were there at the beginning are made only where many tasks come at once.
    assert result.users_reached[0] <= received["GET /login"] <= 20
    inside = result.samples.within(result.window)
    assert dict(inside.by_key())["GET /work"].latency_ms.max() < 1000
    assert len(result.samples) == server.count


def test_a_slow_login_makes_no_task_late(server):
    class Member(FastHttpUser):
        def on_start(self):
            self.client.get("/delay/150/login")

        @task
        def work(self):
            self.client.get("/delay/1000/work")

    # Each task needs a user of its own: none is over before the last has begun.
    result = arrive(Member, server, 15, 0.9, stop_timeout_s=10)
    work = dict(result.samples.by_key())["GET /delay/1000/work"]
    # Waiting for its user to log in, a task would take 1,150 ms.
    assert np.median(work.latency_ms) < 1075
    assert len(work) == result.generator.due
    assert result.generator.unsent == 0


def test_users_whose_start_fails_are_a_finding_each_and_nothing_is_sent(server):
    class Mortal(FastHttpUser):
        def on_start(self):
            raise ValueError("no catalogue")

        @task
        def work(self):
            self.client.get("/work")

    result = arrive(Mortal, server, 50, 0.3)
    (death,) = result.facts.user_deaths
    assert (death.where, death.error) == ("Mortal", "ValueError: no catalogue")
    assert result.generator.unsent == result.generator.due > 0
    assert server.count == 0
    reasons = reasons_of(result)
    assert "no samples: not one request was made" in reasons
    assert any("ended before being asked to: Mortal: ValueError: no catalogue" in reason for reason in reasons)


def test_users_that_cannot_even_be_made_are_a_finding(server):
    def refuse(self, environment):
        raise OSError("no disk")

    result = arrive(visitor("/", __init__=refuse), server, 50, 0.2)
    (death,) = result.facts.user_deaths
    assert (death.where, death.error) == ("Visitor", "OSError: no disk")
    assert result.generator.unsent == result.generator.due


def leave(user):
    user.client.get("/left")
    raise StopUser


def stop(user):
    user.client.get("/left")
    user.stop()


def time_out(user):
    user.client.get("/left")
    raise gevent.Timeout(3)


def exit_at_once(user):
    user.client.get("/left")
    raise SystemExit(3)


def kill_itself(user):
    user.client.get("/left")
    gevent.getcurrent().kill()


@pytest.mark.parametrize(
    ("deadly", "cause"),
    [
        (leave, "stopped itself (StopUser or StopTest)"),
        (stop, "stopped itself (StopUser or StopTest)"),
        (time_out, "Timeout: 3 seconds"),
        (exit_at_once, "SystemExit: 3"),
        (kill_itself, "was killed"),
    ],
    ids=lambda item: getattr(item, "__name__", ""),
)
def test_a_user_that_ends_is_a_death_and_others_take_its_place(server, deadly, cause):
    result = arrive(with_tasks(deadly), server, 40, 0.3)
    (death,) = result.facts.user_deaths
    assert (death.where, death.error, death.count) == ("Visitor", cause, result.generator.due)
    assert server.count == len(result.samples) == result.generator.due
    assert result.facts.task_exceptions == ()


def test_exceptions_of_tasks_are_counted_told_to_listeners_and_the_user_goes_on(server):
    def trip(user):
        user.client.get("/")
        raise KeyError("id")

    heard = []
    listener = events.user_error.add_listener(lambda exception, **_: heard.append(exception))
    try:
        result = arrive(with_tasks(trip), server, 50, 0.4)
    finally:
        events.user_error.remove_listener(listener)
    due = result.generator.due
    (error,) = result.facts.task_exceptions
    assert (error.where, error.error, error.count) == ("Visitor", "KeyError: 'id'", due)
    assert len(heard) == due == server.count
    assert result.facts.user_deaths == ()
    assert result.users_reached[0] < due


def test_failed_requests_are_failures(server):
    result = arrive(visitor("/status/200,500"), server, 60, 0.5)
    due = result.generator.due
    assert abs(result.samples.failures - due / 2) <= 1
    assert set(result.samples.outcome) == {Outcome.SUCCESS, Outcome.FAILURE}


def test_what_on_stop_raises_is_counted(server):
    def fail(user):
        raise ValueError("no goodbye")

    result = arrive(visitor("/", on_stop=fail), server, 20, 0.2)
    (error,) = result.facts.task_exceptions
    assert (error.where, error.error) == ("Visitor.on_stop", "ValueError: no goodbye")
    assert error.count == result.users_reached[0]


def test_task_sets_and_fixed_counts_are_refused(server):
    class Branch(TaskSet):
        @task
        def inner(self):
            """Do nothing."""

    class Tree(FastHttpUser):
        fixed_count = 2
        tasks = [Branch, Branch]  # noqa: RUF012 - as Locust's users have it

    with pytest.raises(BadInput) as caught:
        arrive(Tree, server)
    assert caught.value.problems == (
        (
            "load: Tree has the task set Branch, which runs on and on; tasks that arrive at a rate must be methods or "
            "functions"
        ),
        (
            "load: Tree has a fixed_count, which is for users that loop; give it a weight, by which arrivals are "
            "shared out"
        ),
    )
    assert server.count == 0


@pytest.mark.parametrize("wait_time", [constant_pacing(0.25), constant_throughput(4)], ids=["pacing", "throughput"])
def test_the_herd_of_users_that_pace_is_detected(server, wait_time):
    result = run(visitor("/", wait_time=wait_time), server.url, hold(25, 3.5))
    assert result.generator.dispersion > 5
    assert (
        f"requests were sent in herds (index of dispersion {result.generator.dispersion:.2f} > 2): constant_pacing and "
        "constant_throughput keep the users of Visitor in step; use Arrivals, or between() as their wait_time"
    ) in reasons_of(result)


def test_arrivals_are_no_herd(server):
    result = arrive(visitor("/"), server, 150, 3.0)
    assert result.generator.dispersion is not None
    # By when they were due, and most were sent then: a machine that is held up sends what it missed at once.
    assert index_of_dispersion(result.samples.start_s, result.windows) == pytest.approx(1, abs=0.5)
    assert np.median(result.samples.latency_ms) < 25


def test_users_that_wait_otherwise_are_not_blamed(server):
    result = run(visitor("/", wait_time=constant(0.25)), server.url, hold(25, 2.5))
    assert not [reason for reason in reasons_of(result) if "herds" in reason]


def test_a_cut_run_keeps_what_was_measured(server):
    result = arrive(visitor("/status/500"), server, 100, 30, monitor=Watch(cut_at_s=0.3))
    assert result.facts.cut == "seen enough"
    assert result.duration_s < 5
    assert len(result.samples) == result.samples.failures == server.count
    # Some may have been due in the very moment of the cut; of what would have come later nothing is counted.
    assert server.count == result.generator.due - result.generator.unsent
    assert result.generator.unsent < server.count


def test_what_an_overloaded_dispatcher_never_came_to_is_counted_as_unsent(server):
    def block(user):
        time.sleep(0.1)
        user.client.get("/")

    result = arrive(with_tasks(block), server, 40, 0.5)
    health = result.generator
    assert abs(health.due - 20) < 4 * 20**0.5
    assert len(result.samples) == server.count == health.due - health.unsent
    assert health.unsent >= 3


def test_one_blocked_start_does_not_hold_up_the_run_for_ever(server, monkeypatch):
    monkeypatch.setattr(arrivals, "WARM_UP_PATIENCE_S", 0.2)
    result = arrive(visitor("/", on_start=lambda user: user.client.get("/hang")), server, 40, 0.2, stop_timeout_s=0.2)
    assert result.duration_s == 0.2 + quiet_end.QUIET_S
    assert result.generator.unsent == result.generator.due > 0
    assert result.samples.censored == len(result.samples) == server.count
    assert "GET /" not in server.received()


def test_requests_of_helper_greenlets_are_recorded_and_the_helpers_end(server):
    helpers = []

    def spread(user):
        helpers.append(gevent.spawn(user.client.get, "/hang"))
        user.client.get("/own")

    result = arrive(with_tasks(spread), server, 30, 0.3, stop_timeout_s=0.2)
    assert all(helper.dead for helper in helpers)
    assert len(helpers) == result.samples.censored == result.generator.due


def test_runs_leave_nothing_behind(server, measured):  # noqa: F811 - the fixture
    arrive(visitor("/"), server, 100, 0.1)
    before = measured()
    for path in ("/", "/hang", "/close", "/status/500"):
        arrive([Shop, visitor(path)], server, 200, 0.2, stop_timeout_s=0.1)
        arrive(Shop, server, 100, 0.1, tags=["read"])
    assert_back_to(before, measured)
    assert [member.__name__ for member in Shop.tasks] == ["read", "read", "read", "write"]
