"""Users that worker processes can import."""

from __future__ import annotations

import random
from pathlib import Path

from locust import FastHttpUser, HttpUser, LoadTestShape, constant, events, task
from locust.exception import StopUser
from locust.runners import WorkerRunner

from tailgate import LeanHttpUser


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
    """Asks what never answers, what answers late, and what fails."""

    @task
    def fail(self):
        self.client.get("/status/500", name="Fail")

    @task
    def wait(self):
        self.client.get("/hang", name="Hang")

    @task
    def forget(self):
        self.client.get("/forgotten", name="Forget", catch_response=True)

    wait_time = constant(0.05)


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


class Triangle(LoadTestShape):
    def tick(self):
        elapsed_s = self.get_run_time()
        return None if elapsed_s > 0.8 else (4 if elapsed_s < 0.4 else 1, 100)


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
        environment.runner.send_message("pid", environment.runner.worker_index)


def importable() -> Path:
    return Path(__file__).parents[2]
