"""Users that die, tasks and listeners that raise, code that stops the run: each is a fact of the run."""

import logging

import gevent
import gevent.event
import pytest
from locust import FastHttpUser, constant, events, task
from locust.exception import StopTest, StopUser

from tailgate.model import ErrorCount, Scenario
from tailgate.validity import find_reasons
from tests.acceptance.engine_runs import Watch, hold, run, visitor

pytest_plugins = ["tests.acceptance.engine_fixtures"]


def facts_of(server, users, **options):
    return run(users, server.url, hold(3, 0.2), **options).facts


def raising(error: BaseException):
    def function(*_, **__):
        raise error

    return function


def count(where: str, error: str, number: int) -> tuple[ErrorCount, ...]:
    return (ErrorCount(where=where, error=error, count=number),)


@pytest.mark.parametrize(
    ("attributes", "cause"),
    [
        ({"on_start": raising(ValueError("no login"))}, "ValueError: no login"),
        ({"__init__": raising(KeyError("token"))}, "KeyError: 'token'"),
        ({"__init__": lambda self, env: None}, "TypeError: its __init__ does not call super().__init__(environment)"),
        ({"tasks": [raising(StopUser())]}, "stopped itself (StopUser or StopTest)"),
        ({"tasks": [raising(StopTest())]}, "stopped itself (StopUser or StopTest)"),
        ({"tasks": [raising(SystemExit(3))]}, "SystemExit: 3"),
        ({"tasks": [raising(gevent.Timeout(9))]}, "Timeout: 9 seconds"),
        ({"tasks": [raising(gevent.GreenletExit())]}, "stopped itself (StopUser or StopTest)"),
    ],
)
def test_a_user_that_ends_before_it_is_asked_is_a_death(server, attributes, cause):
    result = run(visitor("/", **attributes), server.url, hold(3, 0.2))
    assert result.facts.user_deaths == count("Visitor", cause, 3)
    assert result.samples.failures == 0
    assert any("3 users" in reason and cause in reason for reason in find_reasons(result, Scenario(name="x"), ()))


def test_users_that_die_do_not_disturb_the_others(server):
    def on_start(user):
        if not user.environment.deaths:
            user.environment.deaths = True
            raise ValueError("only the first")

    def prepare(environment, **_):
        environment.deaths = False

    events.init.add_listener(prepare)
    try:
        result = run(visitor("/", on_start=on_start), server.url, hold(3, 0.4))
    finally:
        events.init.remove_listener(prepare)
    assert result.facts.user_deaths == count("Visitor", "ValueError: only the first", 1)
    assert len(result.samples) == server.count > 10


def test_exceptions_of_tasks_are_counted_and_the_users_go_on(server):
    class Clumsy(FastHttpUser):
        wait_time = constant(0.02)

        @task
        def trip(self):
            self.client.get("/")
            raise IndexError("no such product")

    result = run(Clumsy, server.url)
    assert result.facts.task_exceptions == count("Clumsy", "IndexError: no such product", len(result.samples))
    assert result.facts.user_deaths == ()
    assert len(result.samples) == server.count > 10


def test_on_stop_runs_and_what_it_raises_is_told(server):
    def on_stop(user):
        user.client.get("/bye")
        raise OSError("no way out")

    result = run(visitor("/hello", on_stop=on_stop), server.url, hold(2, 0.2))
    assert server.received()["GET /bye"] == 2
    assert result.facts.task_exceptions == count("Visitor.on_stop", "OSError: no way out", 2)
    assert result.facts.user_deaths == ()


def test_a_user_that_cannot_be_stopped_is_told_and_does_not_hold_up_the_run(server, monkeypatch):
    monkeypatch.setattr("tailgate.engine.population.KILL_PATIENCE_S", 0.2)
    released = gevent.event.Event()

    def on_stop(user):
        while not released.is_set():
            try:
                released.wait()
            except gevent.GreenletExit:
                continue

    result = run(visitor("/", on_stop=on_stop), server.url, hold(1, 0.2), stop_timeout_s=0.2)
    assert result.facts.unstoppable_users == 1
    released.set()
    gevent.sleep(0)


def test_a_listener_that_raises_is_a_fact_and_the_sample_is_kept(server):
    listener = events.request.add_listener(raising(ZeroDivisionError("in a listener")))
    try:
        result = run(visitor("/"), server.url)
    finally:
        events.request.remove_listener(listener)
    assert result.facts.listener_errors == count("request", "ZeroDivisionError: in a listener", len(result.samples))
    assert len(result.samples) == server.count > 0


def test_listeners_of_locust_events_hear_of_the_run(server):
    heard = []
    hooks = [
        (events.test_start, lambda **_: heard.append("start")),
        (events.test_stop, lambda **_: heard.append("stop")),
        (events.request, lambda **event: heard.append(event["name"])),
    ]
    for hook, listener in hooks:
        hook.add_listener(listener)
    try:
        run(visitor("/x"), server.url, hold(1, 0.1))
    finally:
        for hook, listener in hooks:
            hook.remove_listener(listener)
    assert (heard[0], heard[-1], set(heard[1:-1])) == ("start", "stop", {"/x"})


def test_a_response_that_is_never_used_is_an_unreported_request(server):
    def forget(user):
        user.client.get("/forgotten", catch_response=True)
        user.client.get("/fine")
        user.environment.events.request.fire(
            request_type="RPC", name="own", response_time=1.0, response_length=0, exception=None, context={}
        )

    result = run(visitor("", tasks=[forget]), server.url)
    assert result.facts.unreported == server.received()["GET /forgotten"] > 0


def test_an_event_without_a_response_time_is_an_exception_of_its_task(server):
    def fire(user):
        user.environment.events.request.fire(request_type="RPC", name="own", response_time=None, exception=None)

    facts = facts_of(server, visitor("", tasks=[fire]))
    assert facts.task_exceptions[0].error == "TypeError: the request event of 'own' has no response_time"


@pytest.mark.parametrize("stop", ["quit", "stop"])
def test_user_code_that_stops_the_runner_ends_the_run_and_is_told(server, stop):
    def quit_at_once(user):
        user.client.get("/")
        getattr(user.environment.runner, stop)()

    monitor = Watch()
    result = run(visitor("", tasks=[quit_at_once]), server.url, hold(2, 30), monitor=monitor)
    assert result.facts.stopped == "user code stopped Locust's runner"
    assert result.duration_s < 2
    assert len(result.samples) == server.count


def test_each_message_of_locust_is_logged_once(server, caplog):
    def on_start(user):
        raise ValueError("all alike")

    with caplog.at_level(logging.INFO):
        run(visitor("/", on_start=on_start), server.url, hold(5, 0.2))
    assert len([record for record in caplog.records if "all alike" in record.getMessage()]) == 1


def test_nothing_is_written_to_the_terminal_by_dying_users(server, capfd):
    facts_of(server, visitor("/", tasks=[raising(gevent.Timeout(1))]))
    assert "Traceback" not in capfd.readouterr().err


def test_locust_statistics_are_not_there_to_be_misread(server):
    facts = facts_of(server, visitor("", tasks=[lambda user: user.environment.stats.total]))
    assert "Locust's own statistics are not kept in a tailgate run" in facts.task_exceptions[0].error


def test_more_kinds_of_errors_than_anybody_reads_are_counted_together(server):
    numbers = iter(range(10**6))

    def fail(user):
        for _ in range(100):
            with user.client.get("/", catch_response=True) as answer:
                answer.failure(f"order {next(numbers)} is wrong")

    result = run(visitor("", tasks=[fail]), server.url, hold(3, 0.5), stop_timeout_s=10)
    assert len(result.errors) == 201
    assert result.errors[0].error == "other errors"
    assert sum(error.count for error in result.errors) == result.samples.failures == server.count
