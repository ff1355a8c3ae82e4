"""The product service's slowdown: what it adds is the ratio of what there was."""

import asyncio

import pytest

from product_service.slowdown import Slowdown

MS = 0.001


class Machine:
    """A processor whose time passes only when it is used, slept, or looked at."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.cpu_s = 0.0

    def use(self, cpu_s: float) -> None:
        self.now_s += cpu_s
        self.cpu_s += cpu_s

    def wait(self, duration_s: float) -> None:
        self.now_s += duration_s

    def cpu_clock(self) -> float:
        self.use(0.001 * MS)
        return self.cpu_s

    def sleep_too_long(self, duration_s: float) -> None:
        self.wait(duration_s + 0.1 * MS)
        self.use(0.02 * MS)

    def slowed(self, ratio: float) -> Slowdown:
        return Slowdown(ratio, clock=lambda: self.now_s, cpu_clock=self.cpu_clock, sleep=self.sleep_too_long)


@pytest.fixture
def machine() -> Machine:
    return Machine()


def serve(machine, slowdown, *, use_s, wait_s):
    """Handle one request that uses and waits for so much, and return when each part of its answer was sent."""
    sent = []

    async def send(message):
        sent.append((message["type"], machine.now_s))

    async def handle():
        send_later = slowdown.before_answer(send)
        machine.use(use_s)
        machine.wait(wait_s)
        await send_later({"type": "http.response.start"})
        await send_later({"type": "http.response.body"})

    asyncio.run(handle())
    return sent


def test_many_requests_use_and_wait_for_the_ratio_more(machine):
    slowdown = machine.slowed(0.2)
    for _ in range(200):
        serve(machine, slowdown, use_s=0.5 * MS, wait_s=0.3 * MS)
    waited_s = machine.now_s - machine.cpu_s
    assert machine.cpu_s == pytest.approx(200 * 0.6 * MS, rel=0.01)
    assert waited_s == pytest.approx(200 * 0.36 * MS, rel=0.01)


def test_the_answer_begins_when_all_is_paid(machine):
    sent = serve(machine, machine.slowed(1.0), use_s=2 * MS, wait_s=0)
    assert [part for part, _ in sent] == ["http.response.start", "http.response.body"]
    assert sent[0][1] == pytest.approx(4 * MS, abs=0.15 * MS)  # the last sleep was too long


def test_what_was_used_between_requests_is_paid_by_the_next(machine):
    slowdown = machine.slowed(0.5)
    machine.use(10 * MS)
    serve(machine, slowdown, use_s=2 * MS, wait_s=0)
    assert machine.cpu_s == pytest.approx(18 * MS, rel=0.01)


def test_a_long_wait_lets_other_requests_go_on(machine, monkeypatch):
    asked = []

    async def sleep(duration_s):
        asked.append(duration_s)
        machine.wait(duration_s)

    monkeypatch.setattr("product_service.slowdown.asyncio.sleep", sleep)
    serve(machine, machine.slowed(0.2), use_s=0, wait_s=100 * MS)
    assert asked == [pytest.approx(19 * MS, rel=0.01)]
    assert machine.now_s == pytest.approx(120 * MS, rel=0.01)
