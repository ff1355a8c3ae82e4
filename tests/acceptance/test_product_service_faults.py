"""The faults of the product service: each can be observed, and none is on by default."""

import asyncio
import random
import time
from collections import Counter
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from statistics import median

import httpx
import psutil
import pytest

from product_service.faults import FaultInjector, Faults
from tests.acceptance.service_shop import query, wait_until

pytest_plugins = ["tests.acceptance.service_fixtures"]


@pytest.fixture(scope="module")
def database(shop):
    return shop.new_database()


@pytest.fixture
def start(shop, database):
    """Start one instance with faults."""
    return lambda **faults: shop.running(database, "product-1", **faults)


def test_by_default_nothing_is_injected():
    assert not Faults().is_any
    assert Faults().stall_left_s(1e9) == 0.0


@pytest.mark.parametrize(
    ("uptime_s", "left_s"),
    [(0.0, 0.0), (0.5, 0.0), (9.9, 0.0), (10.0, 2.0), (11.5, 0.5), (12.0, 0.0), (19.0, 0.0), (20.0, 2.0), (41.0, 1.0)],
)
def test_a_stall_begins_every_period_but_not_at_the_start(uptime_s, left_s):
    assert Faults(stall_every_s=10.0, stall_s=2.0).stall_left_s(uptime_s) == left_s


def injected(faults, uptimes_s):
    """Send one request through the faults on a clock that is read in turn; return how it slept and what answered."""
    events = []

    async def sleep(seconds):
        events.append(seconds)

    async def app(scope, receive, send):
        events.append("handled")

    async def send(message):
        events.append(message.get("status", "body"))

    clock = iter([0.0, *uptimes_s])
    injector = FaultInjector(app, faults=faults, clock=lambda: next(clock), sleep=sleep)
    asyncio.run(injector({"type": "http", "path": "/products", "method": "GET", "headers": []}, None, send))
    return events


def test_a_request_waits_for_the_end_of_the_stall_and_of_the_next_one():
    faults = Faults(stall_every_s=10.0, stall_s=9.0)
    assert injected(faults, [12.0, 20.5, 29.5]) == [7.0, 8.5, "handled"]


def test_a_delay_comes_before_the_stall_so_that_no_answer_leaves_within_it():
    assert injected(Faults(delay_ms=250.0, stall_every_s=10.0, stall_s=2.0), [10.5, 12.0]) == [0.25, 1.5, "handled"]


def test_an_injected_error_is_not_handled():
    assert injected(Faults(error_ratio=1.0), [1.0]) == [500, "body"]


def test_a_delay_is_waited_for_by_every_request(start):
    with start(DELAY_MS=150) as (service,):
        answer = service.get("/products")
    assert answer.status_code == 200
    assert answer.elapsed.total_seconds() >= 0.15


def test_processor_time_is_used_by_every_request(start):
    with start(CPU_MS=20) as (service,):
        process = psutil.Process(service.process.pid)
        before_s = sum(process.cpu_times()[:2])
        assert [service.get("/products/1").status_code for _ in range(10)] == [200] * 10
        used_s = sum(process.cpu_times()[:2]) - before_s
    assert used_s >= 0.18  # 10 times 20 ms, less the grain of the system's counter


def test_a_slowdown_uses_more_processor_time_and_waits_longer_by_its_ratio(shop):
    with (
        shop.running(shop.new_database(), "product-1") as (plain,),
        shop.running(shop.new_database(), "product-2", SLOWDOWN=0.2) as (slow,),
    ):
        ask_in_any_order([plain, slow], times=200)  # what only the first requests do is not compared
        before_s = [service.process.cpu_s() for service in (plain, slow)]
        plain_s, slow_s = ask_in_any_order([plain, slow], times=1500)
        used_s = [service.process.cpu_s() - start_s for service, start_s in zip((plain, slow), before_s, strict=True)]
    assert 1.12 <= used_s[1] / used_s[0] <= 1.32  # 1.22 on a quiet machine: the work of the fault itself counts too
    # Of what the client sees, its own time does not get longer; short sleeps do, by far on a busy machine.
    assert 1.08 <= median(slow_s) / median(plain_s) <= 2


def ask_in_any_order(services, times):
    """Send each service the same requests and return how long each took, in seconds.

    In any order, since the second to be asked would find the processor's caches as the first one left them.
    """
    durations_s = [[] for _ in services]
    with ExitStack() as stack:
        clients = [stack.enter_context(closing(HTTPConnection(service.process.address))) for service in services]
        pairs = list(zip(clients, durations_s, strict=True))
        for number in range(times):
            for client, taken_s in random.sample(pairs, len(pairs)):
                start_s = time.perf_counter()
                client.request("GET", ("/products", "/products/3", "/products?category=Books")[number % 3])
                assert client.getresponse().read()
                taken_s.append(time.perf_counter() - start_s)
    return durations_s


def test_an_error_ratio_of_one_fails_everything_but_the_harness_routes(start, database):
    with start(ERROR_RATIO=1) as (service,):
        before = query(database, "SELECT count(*) FROM ledger")
        answers = [service.get("/products"), service.get("/products/1"), service.buy("Laptop", 1)]
        assert [(answer.status_code, answer.json()) for answer in answers] == [(500, {"detail": "injected error"})] * 3
        assert {answer.headers["x-instance"] for answer in answers} == {"product-1"}
        assert query(database, "SELECT count(*) FROM ledger") == before
        assert service.get("/health").status_code == 200
        assert service.counted() == {"GET /products": 1, "GET /products/{product_id}": 1, "POST /products/buy": 1}


def test_an_error_ratio_of_a_third_fails_some(start):
    with start(ERROR_RATIO=0.33) as (service,):
        statuses = Counter(service.get("/products/1").status_code for _ in range(200))
    # Beyond six standard deviations of a binomial on either side.
    assert 26 <= statuses[500] <= 106
    assert statuses[200] == 200 - statuses[500]


def test_a_stall_holds_answers_until_it_is_over(start):
    with start(STALL_EVERY_S=0.5, STALL_S=0.3) as (service,):
        # Requests in a row cannot miss a stall: the first one after its beginning waits for nearly all of it.
        wait_until(lambda: service.get("/products/1").elapsed.total_seconds() >= 0.2)
        assert service.get("/products/1").status_code == 200


def test_a_stall_longer_than_its_period_is_a_hang_that_health_does_not_show(start):
    with start(STALL_EVERY_S=0.2, STALL_S=1000) as (service,):

        def is_hung():
            try:
                service.get("/products/1", timeout=0.3)
            except httpx.ReadTimeout:
                return True
            return False

        wait_until(is_hung)
        assert service.get("/health").status_code == 200
        assert is_hung()
        service.process.kill()  # in good order it would wait for the hung requests first
