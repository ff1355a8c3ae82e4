"""Users that worker processes can import."""

from __future__ import annotations

import random
from pathlib import Path

import gevent
import numpy as np
from locust import FastHttpUser, HttpUser, LoadTestShape, constant, events, task
from locust.exception import StopUser
from locust.runners import WorkerRunner

from tailgate import LeanHttpUser
from tailgate.engine.fleet.wire import REPORT


class Visitor(FastHttpUser):
    wait_time = constant(0.02)

    @task
    def visit(self):
        self.client.get("/x", name="Visit")
        self.counters.add("visits")


class Blocking(HttpUser):
    """Works only where gevent has patched sockets."""

    wait_time = constant(0.02)

    @task
    def visit(self):
        self.client.get("/old", name="Visit_Old")
        self.counters.add("visits")


class Lean(LeanHttpUser):
    wait_time = constant(0.02)

    @task
    def visit(self):
        self.client.get("/lean", name="Visit_Lean")
        self.counters.add("visits")


class Patient(HttpUser):
    """Asks what fails, what it forgets to judge, and what never answers."""

    wait_time = constant(0.05)

    @task
    def ask(self):
        self.client.get("/status/500", name="Fail")
        self.client.get("/forgotten", name="Forget", catch_response=True)
        self.client.get("/hang", name="Hang")


class Hanging(HttpUser):
    @task
    def wait(self):
        self.client.get("/hang", name="Hang")


class Unlucky(FastHttpUser):
    """Raises, counts and dies."""

    wait_time = constant(0.02)

    @task
    def fail(self):
        self.client.get("/x", name="Visit")
        if random.random() < 0.5:
            raise ValueError("no luck")
        raise StopUser


class Stopper(FastHttpUser):
    wait_time = constant(0.02)

    @task
    def stop(self):
        self.client.get("/x", name="Visit")
        assert isinstance(self.environment.runner, WorkerRunner)
        self.environment.runner.quit()


class Odd(FastHttpUser):
    """Has texts and numbers that are no plain ones."""

    wait_time = constant(0.02)

    @task
    def visit(self):
        self.client.get("/x", name="Visit \udc80")
        self.counters.add("visits", np.int64(1))
        raise ValueError("\udc81")


class Lossy(FastHttpUser):
    """Loses a report."""

    wait_time = constant(0.02)

    def on_start(self):
        runner = self.environment.runner
        send = runner.send_message

        def lose_one(kind, data):
            if kind == REPORT and data["columns"]["outcome"] and not data["keys"]:
                runner.send_message = send
            else:
                send(kind, data)

        runner.send_message = lose_one

    @task
    def visit(self):
        self.client.get("/x", name="Visit")


class Triangle(LoadTestShape):
    def tick(self):
        elapsed_s = self.get_run_time()
        return None if elapsed_s > 0.8 else (4 if elapsed_s < 0.4 else 1, 100)


class Strangers(LoadTestShape):
    def tick(self):
        return 2, 100, [Unlucky]


class Telling(FastHttpUser):
    """Tells pytest's process something by a message of Locust, as users of Locust do."""

    wait_time = constant(0.02)

    @task
    def visit(self):
        self.client.get("/x", name="Visit")


HEARD: list[int] = []


@events.init.add_listener
def _register(runner, **_):
    if not isinstance(runner, WorkerRunner) and hasattr(runner, "server"):
        runner.register_message("pid", lambda environment, msg: HEARD.append(msg.data))


@events.test_stop.add_listener
def _tell(environment, **_):
    if isinstance(environment.runner, WorkerRunner):
        gevent.sleep(0.1)  # As one that tidies up: longer than from one look of the worker to the next.
        environment.runner.send_message("pid", environment.runner.worker_index)


def importable() -> Path:
    return Path(__file__).parents[2]
