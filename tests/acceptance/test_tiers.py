"""Where the time goes, on real stacks: a fault is told where it was made."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import replace

import psycopg
import pytest
from locust import constant, task

from perf_tests.client import CheckingUser
from tailgate import Arrivals, Stage
from tailgate.judge import judge_run
from tailgate.model import Scenario, Threshold
from tailgate.stack import Nginx
from tailgate.stack.access_log import parse_server_timing
from tailgate.tiers import with_tiers
from tests.acceptance.engine_runs import Watch, hold, run

pytest_plugins = ["tests.acceptance.service_fixtures"]

TIERS = ("network and generator", "nginx", "service", "database")
MILLISECOND = 1.0
"""What nginx rounds to."""


class Reader(CheckingUser):
    wait_time = constant(0.01)

    @task
    def read(self):
        self.call("GET", "/products", name="Get_All_Products")


class Buyer(CheckingUser):
    wait_time = constant(0.01)

    @task
    def buy(self):
        self.call("POST", "/products/buy", name="Buy_Product", json={"name": "Phone", "quantity": 1})


class Brooding(Reader):
    """Reads as others do, but now and then keeps the generator from doing anything."""

    @task
    def brood(self):
        time.sleep(0.04)


def located(users, nginx, shape=None, **options):
    """Run a load and have nginx tell where the time went."""
    tell = nginx.locate()
    done = run(users, nginx.url, shape or hold(2, 0.8), is_numbered=True, **options)
    return replace(done, samples=with_tiers(done.samples, tell(done)))


def judged(done, *, metric="p95_ms", stage=None, max_ms=1.0):
    limit = Threshold(kind="total", subject="total", metric=metric, stage=stage, max=max_ms)
    return judge_run(done, Scenario(name="a scenario", thresholds=(limit,)))


def holder(summary):
    """Return the tier in which the slowest requests spent most of their time."""
    return max(summary.tiers, key=lambda tier: tier.slowest_ms).name


@pytest.fixture(scope="module")
def database(shop):
    return shop.new_database()


@pytest.fixture
def faulty(shop, database):
    """Start an instance with faults behind an nginx of its own."""

    @contextmanager
    def faulty(**faults):
        with shop.running(database, "product-1", **faults) as (service,):
            name = f"nginx-of-{service.process.name}"
            with Nginx(shop.sandbox, [service.process], name=name, health_path="/health") as nginx:
                yield nginx.wait_ready()

    return faulty


def test_every_request_of_the_real_stack_is_divided_into_four_tiers(stack):
    done = located([Reader, Buyer], stack.nginx)
    samples = done.samples
    assert samples.tiers == TIERS
    assert samples.failures == 0
    # What is told of servers is never more than the generator saw, but for what nginx rounds.
    assert (samples.tier_ms.sum(axis=0) < samples.latency_ms + 2 * MILLISECOND).all()
    assert (samples.tier_ms.sum(axis=0) > samples.latency_ms - 0.01).all()
    assert set(judged(done).tiers) == {"GET Get_All_Products", "POST Buy_Product", "total"}


def test_requests_that_arrive_at_a_rate_are_told_of_as_well(stack):
    done = located([Reader], stack.nginx, Arrivals(rate_rps=50, duration_s=0.8, ramp_s=0))
    assert judged(done).tiers["total"].samples == len(done.samples) > 0


def test_the_service_tells_its_time_and_the_databases_share_of_it(shop, database):
    with shop.running(database, "product-1", DELAY_MS=20) as (service,):
        for path in ("/products", "/products/2147483647"):
            told = parse_server_timing(service.get(path).headers["server-timing"])
            assert told.keys() == {"app", "db"}
            assert 0 < told["db"] <= told["app"] - 20
        assert parse_server_timing(service.get("/openapi.json").headers["server-timing"])["db"] == 0


@pytest.mark.parametrize("fault", [{"DELAY_MS": 60}, {"CPU_MS": 30}], ids=["waits", "computes"])
def test_a_slow_service_is_the_service(faulty, fault):
    with faulty(**fault) as nginx:
        # Of the slower half: the slowest few may have been held up by whatever else the machine does.
        (check,) = judged(located([Reader], nginx), metric="p50_ms").checks
    assert check.breakdown.startswith("service took ")


def test_a_locked_row_is_the_database(stack):
    """Somebody's open transaction holds the only row that is bought, for most of the second stage."""
    with psycopg.connect(stack.postgres.dsn) as connection:
        watch = Watch()
        begins = {
            "locked": lambda: connection.execute("SELECT FROM products WHERE name = 'Phone' FOR UPDATE"),
            "after": connection.rollback,
        }
        watch.on_stage_begin = lambda stage: begins.get(stage, bool)()
        shape = tuple(Stage(name=name, duration_s=0.6, users=4) for name in ("normal", "locked", "after"))
        done = located([Buyer], stack.nginx, shape, monitor=watch)
    (check,) = judged(done, stage="locked", max_ms=100).checks
    assert check.breakdown.startswith("database took ")
    assert check.breakdown.endswith(" ms in stage normal")


def test_a_generator_that_is_kept_busy_is_the_generator(stack):
    done = located([Brooding], stack.nginx, hold(4, 1.0))
    assert holder(judged(done).tiers["total"]) == "network and generator"
