"""Every reason why a duet cannot tell how its builds compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from tailgate.compare import Arm
from tailgate.duet import ArmRound, Round, find_duet_reasons
from tailgate.model import ErrorCount, RegressionRule, Severity
from tailgate.run import RunFacts
from tailgate.samples import Outcome
from tests.unit.duet_examples import arm_round, rounds, rule, scenario, swap, with_run, with_samples
from tests.unit.duet_streams import CI, stream

ADVICE = "compare only what both serve, with tags=..."
NOT_FOUND = (ErrorCount(where="POST Buy", error="HTTP status 404", count=9_999),)


@cache
def play(count: int = 2) -> tuple[Round, ...]:
    return rounds(stream(1, CI, duration_s=5, rounds=count))


def reasons(played: Sequence[Round], *rules: RegressionRule) -> list[str]:
    return list(find_duet_reasons(played, scenario(*rules)))


def with_candidate(played: Sequence[Round], change, number: int | None = None) -> tuple[Round, ...]:
    """The rounds, or the one of that number, with the candidate changed."""
    return tuple(
        replace(one, candidate=change(one.candidate)) if number in {None, place} else one
        for place, one in enumerate(played, 1)
    )


def with_base(played: Sequence[Round], change, number: int | None = None) -> tuple[Round, ...]:
    return swap(with_candidate(swap(played), change, number))


def missing(arm):
    """The arm without the second of its requests."""
    return with_run(arm, samples=arm.run.samples.select(arm.run.samples.key_index == 0))


def broken(arm):
    """The arm, with all requests of the second name failed at once."""
    samples = arm.run.samples
    failed = np.where(samples.key_index == 1, Outcome.FAILURE, samples.outcome).astype(np.uint8)
    return with_run(with_samples(arm, outcome=failed), errors=NOT_FOUND)


def dead(arm):
    return with_run(arm, facts=RunFacts(stack_deaths=("service 'product' ended with exit code 1",)))


def late(arm):
    return with_run(arm, generator=replace(arm.run.generator, loop_lag_p99_ms=900.0, blocked_ratio=0.3))


def sent(tasks: int):
    return lambda arm: with_run(arm, generator=replace(arm.run.generator, due=tasks, unsent=0))


def loaded(*, home: int = 1, buys: Sequence[float] = (), buy_tasks: int = 0, failed: bool = False) -> ArmRound:
    """An arm of 40 s in which ten tasks a second go home, each so many times, and some tasks buy at those times."""
    tasks_s = 0.05 + np.arange(400) / 10
    times_s = np.concatenate([np.repeat(tasks_s, home), buys])
    order = np.argsort(times_s, kind="stable")
    is_buy = order >= home * 400
    arm = Arm(scheduled_s=times_s[order], latency_ms=np.full(len(order), 20.0), is_failure=is_buy & failed)
    one = with_samples(arm_round(arm, 40.0), key_index=is_buy.astype(np.int32))
    return with_run(sent(400 + buy_tasks)(one), errors=NOT_FOUND if failed else ())


def at_once(*seconds: float, each: int) -> list[float]:
    """When tasks that begin at those seconds send their requests, each so many."""
    return [second + 0.001 * number for second in seconds for number in range(each)]


def test_a_duet_that_went_well_is_valid():
    assert reasons(play()) == []
    assert reasons(swap(play())) == []


def test_a_reason_says_in_which_arm_and_round():
    assert reasons(with_candidate(play(), dead, 2)) == ["candidate, round 2: service 'product' ended with exit code 1"]
    assert reasons(with_base(play(), dead, 1)) == ["baseline, round 1: service 'product' ended with exit code 1"]


def test_what_both_arms_say_of_the_one_generator_is_told_once():
    found = reasons(with_base(with_candidate(play(), late, 2), late, 2))

    assert found[-1] == (
        "baseline and candidate, round 2: generator saturated: its event loop stood still for 30 % of the time, "
        "allowed are 5 %; users must not block, as time.sleep and requests do"
    )
    assert [reason for reason in found if "stood still" in reason] == found[-1:]


def test_a_request_that_the_baseline_does_not_serve_makes_no_candidate_look_better():
    (reason,) = reasons(with_base(play(1), broken))

    count = int(np.count_nonzero(play(1)[0].base.run.samples.key_index))
    assert reason == (f"baseline: POST Buy failed {count} of {count} (HTTP status 404): its API may differ; {ADVICE}")


def test_a_request_that_the_candidate_breaks_is_no_reason_but_a_finding():
    assert reasons(with_candidate(play(1), broken)) == []


def test_a_request_that_fails_in_both_arms_compares_nothing():
    (reason,) = reasons(with_base(with_candidate(play(1), broken), broken))

    assert reason.startswith("POST Buy failed ")
    assert reason.endswith(" (HTTP status 404) in the candidate: there is nothing to compare")


def test_a_request_that_was_sent_to_one_arm_alone_is_named():
    first, _ = reasons(with_base(play(1), missing))
    count = int(np.count_nonzero(play(1)[0].candidate.run.samples.key_index))

    assert first.startswith("the arms did not do the same work: ")
    assert reasons(with_base(play(1), missing))[1] == (
        f"baseline: POST Buy was never sent, {count} times in the other arm; {ADVICE}"
    )
    assert reasons(with_candidate(play(1), missing))[1].startswith("candidate: POST Buy was never sent, ")


def test_a_rare_request_may_miss_one_arm_or_fail_by_chance():
    def rare(arm):
        return with_samples(arm, key_index=(np.arange(len(arm.run.samples)) == 700).astype(np.int32))

    played = with_base(with_candidate(play(1), rare), rare)

    assert reasons(with_base(played, missing)) == []
    assert reasons(with_base(played, broken)) == []


def test_arms_whose_tasks_made_unlike_numbers_of_requests_did_not_do_the_same():
    played = with_base(with_candidate(play(1), sent(1_000)), sent(2_000))
    base, candidate = (len(arm.run.samples) for arm in played[0].arms)

    (reason,) = reasons(played)
    assert reason == (
        f"the arms did not do the same work: {base / 2_000:.2f} requests for each of 2,000 tasks in the baseline, "
        f"{candidate / 1_000:.2f} requests for each of 1,000 tasks in the candidate; {ADVICE}"
    )


def test_arms_may_differ_as_a_coin_makes_them_and_as_tasks_vary():
    base, candidate = (len(arm.run.samples) for arm in play(1)[0].arms)

    assert reasons(with_base(with_candidate(play(1), sent(candidate)), sent(round(1.1 * base)))) == []


def test_tasks_that_could_not_be_sent_made_no_requests():
    unsent = 3_000 - len(play(1)[0].candidate.run.samples)

    def busy(arm):
        return with_run(arm, generator=replace(arm.run.generator, due=3_000, unsent=unsent))

    (reason,) = reasons(with_candidate(play(1), busy))

    assert reason.startswith(f"candidate, round 1: {unsent:,} of 3,000 tasks that were due were not sent, since every")


def test_rounds_of_which_nobody_counted_the_tasks_are_not_compared_by_them():
    def uncounted(arm):
        return with_run(arm, generator=replace(arm.run.generator, due=None, unsent=None))

    assert reasons(with_base(with_candidate(play(1), uncounted), uncounted)) == []


def test_a_rule_about_something_that_was_never_there_is_a_reason():
    asked = rule(kind="request", subject="Sell"), rule(stage="hold"), rule("count", kind="counter", subject="lost")
    where = "nothing to compare (thresholds.yaml:5)"

    assert reasons(play(), *asked) == [
        f"Sell: {where}: no request of that name; seen: GET Home, POST Buy",
        f"total: {where}: the shape has no stage 'hold'; its stages: arrivals",
        f"lost: {where}: it was never counted in either arm; there are these counters: sold",
    ]


def test_only_rules_that_inform_may_miss_what_they_ask_for_but_not_all_of_a_duet():
    lost, seen = (rule(kind="request", subject=name, severity=Severity.INFO) for name in ("Sell", "Buy"))

    assert reasons(play(), lost, seen) == []
    assert reasons(play(), lost) == [
        "Sell: nothing to compare (thresholds.yaml:5): no request of that name; seen: GET Home, POST Buy"
    ]


def test_what_users_send_when_they_are_started_is_no_work_that_was_due():
    def with_logins(count: int):
        def change(arm):
            samples = arm.run.samples
            is_login = np.arange(len(samples)) < count
            index = np.where(is_login, 2, samples.key_index).astype(np.int32)
            start_s = np.where(is_login, -1.0, samples.start_s)
            return with_samples(arm, keys=(*samples.keys, "POST Login"), key_index=index, start_s=start_s)

        return change

    def counted(arm):
        samples = arm.run.samples
        return with_run(arm, generator=replace(arm.run.generator, due=int((samples.start_s >= 0).sum())))

    played = with_base(with_candidate(play(1), with_logins(600)), with_logins(5))

    assert reasons(with_base(with_candidate(played, counted), counted)) == []


def test_tasks_that_make_many_requests_are_dealt_unequally_by_a_fair_coin():
    few, many = (loaded(buys=at_once(*at_s, each=100), buy_tasks=len(at_s)) for at_s in ((3, 30), range(2, 34, 4)))

    assert reasons([Round(base=few, candidate=many)]) == []
    assert reasons([Round(base=many, candidate=few)]) == []


def test_tasks_that_make_many_requests_hide_no_unlike_work():
    at_s = (3, 12, 21, 30)
    once, twice = (loaded(home=home, buys=at_once(*at_s, each=20), buy_tasks=4) for home in (1, 2))

    (reason,) = reasons([Round(base=once, candidate=twice)])

    assert reason == (
        "the arms did not do the same work: 1.19 requests for each of 404 tasks in the baseline, "
        f"2.18 requests for each of 404 tasks in the candidate; {ADVICE}"
    )


def test_a_single_task_with_many_requests_may_miss_an_arm():
    without, one_task = loaded(), loaded(buys=at_once(5, each=25), buy_tasks=1)

    assert reasons([Round(base=without, candidate=one_task)]) == []
    assert reasons([Round(base=one_task, candidate=without)]) == []


def test_requests_of_many_seconds_or_of_many_tasks_miss_no_arm_by_chance():
    told = f"baseline: POST Buy was never sent, 20 times in the other arm; {ADVICE}"
    of_seconds = loaded(home=3, buys=list(range(20)), buy_tasks=20)
    of_tasks = loaded(buys=at_once(5, each=20), buy_tasks=20)

    assert reasons([Round(base=loaded(home=3), candidate=of_seconds)]) == [told]
    assert reasons([Round(base=loaded(), candidate=of_tasks)]) == [told]


def test_a_single_task_of_the_baseline_may_fail_with_all_its_requests():
    one_task, many = (loaded(buys=at_once(5, each=25), buy_tasks=tasks, failed=True) for tasks in (1, 25))
    well = loaded(buys=at_once(5, each=25), buy_tasks=1)

    assert reasons([Round(base=one_task, candidate=well)]) == []
    assert reasons([Round(base=many, candidate=well)])[-1] == (
        f"baseline: POST Buy failed 25 of 25 (HTTP status 404): its API may differ; {ADVICE}"
    )


def test_what_fails_when_users_are_started_fails_by_no_coin():
    failed = loaded(home=2, buys=[-1.0] * 25, failed=True)

    assert reasons([Round(base=failed, candidate=loaded(home=2, buys=[-1.0] * 25))]) == [
        f"baseline: POST Buy failed 25 of 25 (HTTP status 404): its API may differ; {ADVICE}"
    ]
