"""The parts of distributed runs that need no second process."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tailgate.engine  # noqa: F401 - Locust unpatched
from tailgate.engine.fleet.clocks import Exchange, Offset, estimate_offset
from tailgate.engine.fleet.wire import Greeting, Orders, counts_between, message_of
from tailgate.engine.plan import make_plan
from tailgate.engine.references import find_unimportable, import_class, reference_of
from tailgate.engine.shares import WHOLE, Owners, Share
from tailgate.errors import BadInput
from tailgate.model import ErrorCount, GeneratorHealth, Scenario, Stage, WorkerHealth
from tailgate.percentiles import percentile
from tailgate.reports.highlights import worker_text
from tailgate.samples import Outcome, SampleLog
from tailgate.validity import find_load_reasons
from tests.acceptance.fleet_users import Blocking, Visitor
from tests.unit.run_examples import run

HEALTHY = {
    "host": "node",
    "samples": 5,
    "loop_lag_p50_ms": 0.1,
    "loop_lag_p99_ms": 1.0,
    "blocked_ratio": 0.0,
    "cpu_ratio": 0.3,
    "clock_offset_ms": 0.0,
    "clock_error_ms": 0.1,
}


def deal(names, count):
    """Return who has which users, as each of ``count`` processes sees it."""
    everybody = [Owners(Share(index=index, count=count)) for index in range(count)]
    return [[name for name in names if owners.deal(name)] for owners in everybody]


@given(st.lists(st.sampled_from("abc"), max_size=40), st.integers(1, 5))
def test_every_user_lives_in_one_process_and_all_have_as_many(names, count):
    shares = deal(names, count)
    assert Counter(name for share in shares for name in share) == Counter(names)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_classes_that_alternate_are_spread_as_well():
    assert [sorted(share) for share in deal("abababab", 2)] == [list("aabb"), list("aabb")]


def test_users_that_are_taken_back_are_dealt_out_as_before():
    owners = Owners(Share(index=1, count=3))
    before = [owners.deal(name) for name in "aabbc"]
    owners.take_back()
    owners.take_back()
    assert [*before[:3], owners.deal("b"), owners.deal("c")] == before


def test_one_process_has_everything():
    owners = Owners(WHOLE)
    assert all(owners.deal(name) for name in "abcab")
    assert WHOLE.ratio == 1


@pytest.mark.parametrize(
    ("exchanges", "offset"),
    [
        ([Exchange(10.0, 12.05, 10.1)], Offset(2.0, 0.05)),
        ([Exchange(10.0, 12.5, 11.0), Exchange(20.0, 22.05, 20.1)], Offset(2.0, 0.05)),
        ([Exchange(10.0, 10.09, 10.1)], Offset(0.0, 0.05)),
        ([Exchange(10.0, 9.0, 10.2)], Offset(-1.1, 0.1)),
    ],
)
def test_the_quickest_exchange_tells_the_offset_and_one_within_its_error_is_none(exchanges, offset):
    found = estimate_offset(exchanges)
    assert (found.offset_s, found.error_s) == pytest.approx((offset.offset_s, offset.error_s))


def test_samples_of_two_logs_joined_are_those_of_one():
    random = Random(4)
    whole, joined = SampleLog(), SampleLog()
    parts, pairs = [SampleLog(), SampleLog()], [[], []]
    for number in range(1000):
        name, latency_ms = random.choice("abc"), random.expovariate(0.1)
        outcome = Outcome.FAILURE if random.random() < 0.1 else Outcome.SUCCESS
        for log in (whole, parts[number % 2]):
            log.add("GET", name, number / 100, latency_ms, outcome)
        if number % 70 == 0:
            for part, known in zip(parts, pairs, strict=True):
                known[:] = part.pairs
                joined.extend(known, part.drain())
    for part in parts:
        joined.extend(part.pairs, part.drain())
    assert (len(joined), joined.failures) == (len(whole), whole.failures)
    one, two = whole.finish(), joined.finish()
    assert (one.start_s == two.start_s).all()
    assert (one.latency_ms == two.latency_ms).all()
    assert (one.outcome == two.outcome).all()
    assert (np.array(one.keys)[one.key_index] == np.array(two.keys)[two.key_index]).all()
    for q in (Fraction(1, 2), Fraction(95, 100), Fraction(99, 100)):
        assert percentile(one.success_latencies_ms, q) == percentile(two.success_latencies_ms, q)


def test_orders_arrive_as_the_plan_that_was_made():
    stages = (Stage(name="hold", duration_s=2, users=4, spawn_rate=3),)
    plan = make_plan(
        [Visitor, Blocking], shape=stages, host="http://nobody.invalid", is_host_known=False, in_workers=True
    )
    orders = Orders.of(plan, Share(index=1, count=2), first_number=2**62, seed=7, clock_offset_s=0.5)
    arrived = Orders(**message_of(orders))
    assert arrived.plan() == plan
    assert (arrived.share, arrived.seed, arrived.clock_offset_s) == (Share(index=1, count=2), 7, 0.5)


def test_counts_are_told_as_what_came_on_top():
    now = [ErrorCount(where="a", error="x", count=5), ErrorCount(where="b", error="y", count=2)]
    assert counts_between({("a", "x"): 5, ("b", "y"): 1}, now) == [("b", "y", 1)]


def test_a_class_is_found_by_its_reference():
    assert import_class(reference_of(Visitor)) is Visitor
    with pytest.raises(ImportError, match=r"module tests\.acceptance\.fleet_users has no Nobody"):
        import_class("tests.acceptance.fleet_users:Nobody")


def test_a_class_that_no_other_process_can_have_is_refused_before_any_load():
    class Local(Visitor):
        pass

    (problem,) = find_unimportable([Visitor, Local])
    assert problem == (
        "load: Local cannot be imported by worker processes: tests.unit.test_fleet has no "
        "test_a_class_that_no_other_process_can_have_is_refused_before_any_load.<locals>.Local that is this class; "
        "define it at the top of a module, not within a function, or run without workers"
    )
    with pytest.raises(BadInput, match="Local cannot be imported"):
        make_plan([Local], shape=(Stage(name="a", duration_s=1, users=1),), host="http://127.0.0.1:1", in_workers=True)


def test_a_host_is_read_but_not_asked_where_workers_ask_it():
    shape = (Stage(name="a", duration_s=1, users=1),)
    assert make_plan([Visitor], shape=shape, host="http://nobody.invalid", in_workers=True).host
    with pytest.raises(BadInput, match="load: host 'nobody' has no scheme or name"):
        make_plan([Visitor], shape=shape, host="nobody", in_workers=True)


def test_another_version_is_told_and_the_same_is_not():
    own = Greeting(name="pytest", host="here", pid=1, tailgate="1.0", locust="2.47.0", python="3.11.7")
    same = Greeting(name="a", host="node", pid=2, tailgate="1.0", locust="2.47.0", python="3.13.1")
    other = Greeting(name="b", host="node", pid=3, tailgate="1.0", locust="2.43.4", python="3.11.7")
    assert same.problem(own) == ""
    assert other.problem(own) == (
        "worker b on node has locust 2.43.4 where pytest has 2.47.0; install the same versions"
    )


def test_a_greeting_of_another_version_is_understood_as_far_as_it_goes():
    own = Greeting(name="pytest", host="here", pid=1, tailgate="1.0", locust="2.47.0", python="3.11.7")
    later = Greeting.read({"name": "a", "host": "node", "tailgate": "2.0", "locust": "2.47.0", "cores": 8})
    assert later.problem(own) == "worker a on node has tailgate 2.0 where pytest has 1.0; install the same versions"


def test_a_saturated_worker_is_named_though_the_others_are_well():
    workers = (WorkerHealth(name="1", **HEALTHY), WorkerHealth(name="2", **{**HEALTHY, "cpu_ratio": 0.99}))
    health = GeneratorHealth(
        loop_lag_p50_ms=0.1,
        loop_lag_p99_ms=1.0,
        cpu_ratio=1.4,
        cpu_us_per_request=100.0,
        host_cpu_ratio=None,
        steal_ratio=None,
        workers=workers,
    )
    reasons = find_load_reasons(run(generator=health), Scenario(name="x"))
    assert [reason for reason in reasons if reason.startswith("generator")] == [
        "generator saturated: worker 2 used 99 % of one core, allowed are 95 %; use fewer users or longer waits",
    ]


def test_a_workers_line_tells_of_its_clock_only_where_it_differs():
    record = {"name": "1", **HEALTHY}
    assert worker_text(record) == "1: 5 requests, loop lag p99 1.0 ms, 30 % of one core"
    assert worker_text({**record, "clock_offset_ms": -3.25}).endswith(", clock ahead by -3.2 ms (error up to 0.1 ms)")
