"""Two hosts under load at once: each arrival goes to one of them, and nothing of one arm touches the other."""

import json
import signal
import socket
import threading
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from urllib.request import urlopen

import numpy as np
import pytest
from locust import FastHttpUser, events, task

from tailgate import Stage, Stages
from tailgate.dispersion import index_of_dispersion
from tailgate.engine import pool
from tailgate.engine.arrivals import draw_arrivals
from tailgate.errors import BadInput
from tailgate.samples import Outcome
from tests.acceptance import quiet_end
from tests.acceptance.engine_runs import WatchBoth, hold, run_both, visitor
from tests.acceptance.test_engine_interrupts import TELLING_SIGNALS, interrupt_twice, last_line, start
from tests.acceptance.test_engine_isolation import assert_back_to, measured  # noqa: F401 - a fixture
from tests.children import mortal, next_line

pytest_plugins = ["tests.acceptance.engine_fixtures"]

LOADING = """
import json
from tests.acceptance.engine_runs import WatchBoth, run_both, visitor

def tell(live):
    if (len(live.base.log) and len(live.candidate.log)) or live.elapsed_s > 1:
        print("loading", flush=True)

watch, patience = WatchBoth(tell), dict(stop_timeout_s={stop_timeout_s}, request_timeout_s=600)
try:
    results = run_both(visitor({path!r}), {urls!r}, duration_s=30, monitor=watch, **patience)
except KeyboardInterrupt:
    print("KeyboardInterrupt")
else:
    arms = [[arm.facts.interrupted, arm.duration_s, len(arm.samples), arm.samples.censored] for arm in results]
    print(json.dumps(arms))
"""


@pytest.fixture
def servers(server, other_server):
    return server, other_server


@pytest.fixture
def listen_for():
    """Return what listens to an event of Locust, for one test."""
    added = []

    def listen(name, listener):
        hook = getattr(events, name)
        hook.add_listener(listener)
        added.append((hook, listener))

    yield listen
    for hook, listener in added:
        hook.remove_listener(listener)


def due_on(result, arm, seed=1):
    """Return when tasks were due on an arm by the seed, in seconds since the run began."""
    return [arrival.due_s for arrival in draw_arrivals(result.stages, seed=seed, arms=2) if arrival.arm == arm]


def play(users, servers, rate_rps=100.0, duration_s=1.0, **options):
    """Run ``users`` against two servers, with a quiet end."""
    return run_both(users, servers, shape=quiet_end.arrivals(rate_rps, duration_s), **options)


@contextmanager
def loading(servers, path="/", stop_timeout_s=1.0):
    """Have a process that is in the middle of a duet."""
    urls = tuple(server.url for server in servers)
    code = TELLING_SIGNALS + LOADING.format(path=path, urls=urls, stop_timeout_s=stop_timeout_s)
    with mortal(start(code)) as process:
        assert next_line(process) == "loading\n"
        yield process


def test_each_arrival_goes_to_one_server_as_the_coin_says_and_is_recorded_once(servers):
    results = play(visitor("/"), servers, 200, 1.5, seed=7)

    for arm, (result, server) in enumerate(zip(results, servers, strict=True)):
        assert result.host == server.url
        assert len(result.samples) == server.count == result.generator.due
        assert (result.generator.unsent, result.samples.failures) == (0, 0)
        # A time of day has no more digits than these.
        assert result.samples.start_s == pytest.approx(due_on(result, arm, seed=7), abs=1e-5)
        # Four standard deviations of a Poisson number with the mean 150.
        assert abs(server.count - 150) < 4 * 150**0.5


def test_both_arms_get_the_same_mix_of_classes_and_tasks(servers):
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

    results = play([Reader, Writer], servers, 600, 1.0)

    for result in results:
        due = result.generator.due
        counts = {key: len(samples) for key, samples in result.samples.by_key()}
        for key, share in {"GET /read": 1 / 2, "GET /list": 1 / 4, "POST /write": 1 / 4}.items():
            assert abs(counts[key] - share * due) < 4 * (share * (1 - share) * due) ** 0.5


def test_the_generator_is_one_and_what_was_due_is_of_the_arm(servers):
    base, candidate = play(visitor("/"), servers, 180, 2.0)

    assert base.generator.due != candidate.generator.due
    assert replace(base.generator, due=0, unsent=0) == replace(candidate.generator, due=0, unsent=0)
    # It takes 200 sends within whole seconds to tell, and one arm has only half of these 360.
    assert base.generator.dispersion is not None
    # By when they were due: a machine that is held up sends what it missed at once.
    due_s = np.concatenate([base.samples.start_s, candidate.samples.start_s])
    assert index_of_dispersion(due_s, base.windows) == pytest.approx(1, abs=0.5)
    assert (base.started_at, base.duration_s, base.stages) == (
        candidate.started_at,
        candidate.duration_s,
        candidate.stages,
    )


def test_stages_are_those_of_both_arms(servers):
    shape = Stages(
        Stage(name="day", duration_s=0.6, arrival_rate_rps=200, ramp_s=0.2),
        Stage(name="night", duration_s=0.6, arrival_rate_rps=50),
        quiet_end.QUIET,
    )
    monitor = WatchBoth()
    results = run_both(visitor("/"), servers, shape=shape, monitor=monitor)

    for arm, result in enumerate(results):
        day, night, _ = (len(result.samples.within(window)) for window in result.windows)
        assert day == sum(due_s < 0.6 for due_s in due_on(result, arm))
        assert day + night == len(due_on(result, arm))
        assert len(result.users_reached) == 3
        assert min(result.users_reached) >= 2
    assert {look.stage for look in monitor.looks} >= {"day", "night"}


def test_a_monitor_sees_both_arms_from_the_beginning(servers):
    def count(user):
        user.client.get("/")
        user.counters.add("done")

    monitor = WatchBoth()
    base, candidate = play(visitor("", tasks=[count]), servers, 200, 1.0, monitor=monitor)
    first, *_, last = monitor.looks

    assert first.elapsed_s < 0.5
    assert (len(monitor.looks[0].base.counters), len(monitor.looks[0].candidate.counters)) == (0, 0)
    assert all(before.elapsed_s < after.elapsed_s for before, after in pairwise(monitor.looks))
    assert last.left_s == pytest.approx(1.0 + quiet_end.QUIET_S - last.elapsed_s)
    assert 0 < last.base.counters["done"] <= base.counters["done"] == base.generator.due
    assert 0 < last.candidate.counters["done"] <= candidate.counters["done"] == candidate.generator.due
    # Users do not go away.
    assert last.base.users <= base.users_reached[-1]
    assert last.candidate.users <= candidate.users_reached[-1]


@pytest.mark.parametrize("stalling", [0, 1], ids=["baseline", "candidate"])
def test_a_stall_of_one_arm_shows_there_from_when_tasks_were_due_and_not_in_the_other(servers, stalling):
    def stall(live):
        if live.elapsed_s >= 0.3 and not threads:
            url = f"{servers[stalling].url}/stall/500"
            threads.append(threading.Thread(target=lambda: urlopen(url, timeout=10).close()))
            threads[0].start()

    threads = []
    results = play(visitor("/x"), servers, 200, 1.5, monitor=WatchBoth(stall))
    threads[0].join()

    stalled, other = results[stalling].samples, results[1 - stalling].samples
    late = stalled.select(stalled.latency_ms > 100)
    # At 100/s some 40 are due in the first 0.4 of the 0.5 s, and the one due first waits longest.
    assert 20 <= len(late) <= 100
    first = late.latency_ms.argmax()
    assert late.latency_ms[first] > 400
    expected_ms = 1000 * (late.start_s[first] - late.start_s) + late.latency_ms[first]
    # Most of them: what the machine held up at another time was late as well.
    assert np.median(np.abs(late.latency_ms - expected_ms)) < 120
    assert (other.latency_ms > 100).sum() < len(late) / 2
    assert all(result.generator.unsent == 0 for result in results)


def test_an_arm_whose_users_are_all_busy_leaves_tasks_unsent_and_the_other_none(servers, monkeypatch):
    monkeypatch.setattr(pool, "MOST_USERS", 20)

    def dawdle(user):
        user.client.get("/delay/1000/x" if user.host == servers[1].url else "/")

    base, candidate = play(visitor("", tasks=[dawdle]), servers, 100, 0.8, stop_timeout_s=10)

    assert candidate.generator.unsent > candidate.generator.due / 3
    assert len(candidate.samples) == servers[1].count == candidate.generator.due - candidate.generator.unsent
    assert (base.generator.unsent, len(base.samples)) == (0, base.generator.due)


def test_an_arm_that_refuses_connections_fails_and_the_other_is_as_ever(server):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        base, candidate = play(visitor("/"), (server, url), 150, 1.0, monitor=WatchBoth(lambda live: listening.close()))

    assert (len(base.samples), base.samples.failures, base.errors) == (base.generator.due, 0, ())
    # One may have connected before it came to that.
    assert candidate.samples.failures == len(candidate.samples) == candidate.generator.due
    assert set(candidate.samples.outcome) == {Outcome.FAILURE}
    assert candidate.errors[0].where == "GET /"
    assert "ConnectionRefusedError" in candidate.errors[0].error


def test_both_arms_have_the_same_time_to_answer_at_the_end(servers):
    base, candidate = play(visitor("/hang"), servers, 60, 0.5, stop_timeout_s=0.4)

    ends_s = np.concatenate([result.samples.start_s + result.samples.latency_ms / 1000 for result in (base, candidate)])
    assert base.samples.censored == len(base.samples) == servers[0].count == base.generator.due
    assert candidate.samples.censored == len(candidate.samples) == servers[1].count == candidate.generator.due
    assert ends_s.min() >= 0.5 + quiet_end.QUIET_S + 0.4
    assert ends_s.max() - ends_s.min() < 0.3


def test_users_of_the_arms_share_nothing_but_the_attributes_of_their_class(servers, listen_for):
    class Member(FastHttpUser):
        wallet = "leather"

        def on_start(self):
            self.seen = []
            people.append(self)

        @task
        def work(self):
            self.environment.catalogue.append(self.host)
            self.counters.add(self.host)
            self.client.get("/")

    def fill(environment, **_):
        environment.catalogue = []
        catalogues[environment.host] = environment.catalogue

    people, catalogues = [], {}
    listen_for("test_start", fill)
    base, candidate = play(Member, servers, 150, 0.6)

    assert list(catalogues) == [base.host, candidate.host]
    for result in (base, candidate):
        due = result.generator.due
        assert catalogues[result.host] == [result.host] * due
        assert result.counters == {result.host: due}
        assert {key for key, _ in result.samples.by_key()} == {"GET /"}
    of_base = [user for user in people if user.host == base.host]
    of_candidate = [user for user in people if user.host == candidate.host]
    assert len(of_base) + len(of_candidate) == len(people)
    assert {type(user).__name__ for user in people} == {"Member"}
    for name in ("environment", "counters", "__class__"):
        (one,), (other,) = ({id(getattr(user, name)) for user in users} for users in (of_base, of_candidate))
        assert one != other
    assert len({id(user.client) for user in people}) == len(people)
    assert {user.wallet for user in people} == {"leather"}
    assert not {"host", "counters", "client"} & vars(Member).keys()


def test_a_global_listener_hears_both_arms_and_its_errors_are_of_the_arm(servers, listen_for):
    def refuse(environment, **_):
        heard.append(environment.host)
        if environment.host == servers[1].url:
            raise ValueError("not this one")

    heard, requests = [], []
    listen_for("test_start", refuse)
    listen_for("request", lambda **event: requests.append(event["name"]))
    base, candidate = play(visitor("/"), servers, 100, 0.4)

    assert heard == [base.host, candidate.host]
    assert len(requests) == base.generator.due + candidate.generator.due
    assert base.facts.listener_errors == ()
    assert [(error.where, error.error) for error in candidate.facts.listener_errors] == [
        ("test_start", "ValueError: not this one")
    ]


def test_what_goes_wrong_with_users_is_of_the_arm(servers):
    def trip(user):
        user.client.get("/status/200,500")
        if user.host == servers[0].url:
            raise KeyError("id")
        raise SystemExit(3)

    base, candidate = play(visitor("", tasks=[trip]), servers, 80, 0.5)

    (exception,) = base.facts.task_exceptions
    assert (exception.error, exception.count) == ("KeyError: 'id'", base.generator.due)
    assert base.facts.user_deaths == ()
    (death,) = candidate.facts.user_deaths
    assert (death.error, death.count) == ("SystemExit: 3", candidate.generator.due)
    assert candidate.facts.task_exceptions == ()
    for result in (base, candidate):
        (failure,) = result.errors
        assert (failure.error, failure.count) == ("HTTP status 500", result.samples.failures)
        assert abs(result.samples.failures - result.generator.due / 2) <= 1


def test_users_start_before_the_clock_on_both_arms(servers):
    base, candidate = play(
        visitor("/work", on_start=lambda user: user.client.get("/delay/40/login")), servers, 100, 0.6
    )

    for result, server in ((base, servers[0]), (candidate, servers[1])):
        inside = dict(result.samples.within(result.window).by_key())
        assert len(inside["GET /work"]) == result.generator.due
        # Those in reserve had logged in before, so that no task had to wait for that.
        assert np.median(inside["GET /work"].latency_ms) < 40
        assert server.received()["GET /delay/40/login"] >= result.users_reached[0] >= 2


def test_code_of_users_that_stops_one_runner_ends_both_arms(servers):
    def quit_there(user):
        user.client.get("/")
        if user.host == servers[1].url:
            user.environment.runner.quit()

    base, candidate = run_both(visitor("", tasks=[quit_there]), servers, 50, 30)

    assert base.facts.stopped == candidate.facts.stopped == "user code stopped Locust's runner"
    assert base.duration_s < 10
    assert len(base.samples) == servers[0].count > 0


@pytest.mark.parametrize(("number", "name"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM")])
def test_a_signal_ends_both_arms_and_what_was_measured_is_kept(servers, number, name):
    with loading(servers) as process:
        process.send_signal(number)
        results = json.loads(last_line(process))

    for (interrupted, duration_s, samples, censored), server in zip(results, servers, strict=True):
        assert (interrupted, samples, censored) == (name, server.count, 0)
        assert samples > 0
        assert duration_s < 20
    assert process.returncode == 0


def test_a_second_signal_ends_both_arms_at_once(servers):
    with loading(servers, "/hang", stop_timeout_s=600) as process:
        interrupt_twice(process)
        assert last_line(process) == "KeyboardInterrupt"


def test_what_cannot_be_played_is_refused_with_all_problems_before_anything_is_sent(server):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        silent = f"http://127.0.0.1:{listening.getsockname()[1]}"

    with pytest.raises(BadInput) as caught:
        run_both(visitor("/"), (silent, "nowhere"), shape=hold(2, 0.5), is_host_known=False)
    with pytest.raises(BadInput):
        run_both(visitor("/"), (server, silent))

    assert caught.value.problems == (
        "load: a duet needs tasks that arrive at a rate, and this shape has users that loop; pass Arrivals",
        f"load: nobody answers at {silent} (Connection refused); is the service running?",
        "load: host 'nowhere' has no scheme or name, wanted a base URL such as http://127.0.0.1:8080",
    )
    assert server.count == 0


def test_duets_leave_nothing_behind(servers, measured):  # noqa: F811 - the fixture
    run_both(visitor("/"), servers, 100, 0.1)
    before = measured()
    for path in ("/", "/hang", "/close", "/status/500"):
        run_both(visitor(path), servers, 200, 0.2, stop_timeout_s=0.1)

    assert_back_to(before, measured)


def test_a_monitor_that_raises_leaves_nothing_behind(servers, measured):  # noqa: F811 - the fixture
    def fail(live):
        raise ArithmeticError("a monitor of no use")

    before = measured()
    with pytest.raises(ArithmeticError):
        run_both(visitor("/hang"), servers, 100, 0.3, monitor=WatchBoth(fail), stop_timeout_s=0.1)

    assert_back_to(before, measured)
