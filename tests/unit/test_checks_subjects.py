"""Which requests and stages a limit is for."""

import pytest

from tailgate.checks import matching_keys
from tailgate.model import CheckOutcome, Severity, Stage
from tests.unit.run_examples import checks_of, places, request, requests, run, the_check, total

PASS, FAIL, NO_DATA = CheckOutcome.PASS, CheckOutcome.FAIL, CheckOutcome.NO_DATA
NORMAL = Stage(name="normal", duration_s=4, users=5)
SPIKE = Stage(name="spike", duration_s=2, users=30)
RECOVERY = Stage(name="recovery", duration_s=4, users=5)
THREE = (NORMAL, SPIKE, RECOVERY)
STEPS = tuple(Stage(name=f"step_{users}", duration_s=3, users=users) for users in (10, 20, 30))


# Names of requests

KEYS = ("GET Get_All", "GET Get_One", "POST Buy", "PUT Buy")


@pytest.mark.parametrize(
    ("pattern", "matching"),
    [
        ("GET Get_All", ("GET Get_All",)),
        ("Get_All", ("GET Get_All",)),
        ("Get_*", ("GET Get_All", "GET Get_One")),
        ("GET *", ("GET Get_All", "GET Get_One")),
        ("Buy", ("POST Buy", "PUT Buy")),
        ("*", KEYS),
        ("get_all", ()),
        ("GET", ()),
        ("Get_[A]ll", ()),
        ("Get_A?l", ()),
    ],
)
def test_a_pattern_names_requests_with_or_without_their_method(pattern, matching):
    assert matching_keys(pattern, KEYS) == matching


def test_brackets_and_question_marks_in_names_mean_themselves():
    assert matching_keys("GET /items[0]?page=*", ("GET /items[0]?page=2", "GET /items0xpage=2")) == (
        "GET /items[0]?page=2",
    )


def test_a_pattern_makes_one_check_for_each_request():
    one = run([*requests(60, key="POST Buy"), *requests(60, 300, key="GET Home")])

    assert places(checks_of(one, request("*", "p95_ms", max=250))) == [
        ("GET Home", "total", FAIL),
        ("POST Buy", "total", PASS),
    ]


def test_a_name_that_two_methods_share_is_ambiguous():
    one = run([*requests(60, key="PUT Buy"), *requests(60, key="POST Buy")])

    found = the_check(one, request("Buy", "p95_ms", max=250))

    assert (found.subject, found.outcome) == ("Buy", NO_DATA)
    assert found.note == "the name is ambiguous, write one of: POST Buy, PUT Buy"


def test_a_name_means_the_same_in_every_stage():
    # Each stage by itself has only one request of that name, but not the same one.
    one = run([*requests(60, key="PUT Buy"), *requests(60, key="POST Buy", start_s=6)], stages=THREE)

    found = checks_of(one, request("Buy", "p95_ms", max=250, stage="*"))

    assert {each.note for each in found} == {"the name is ambiguous, write one of: POST Buy, PUT Buy"}
    assert [each.outcome for each in found] == [NO_DATA] * 3


# Stages


def test_a_limit_of_a_stage_judges_the_requests_that_started_in_it():
    one = run([*requests(60, 10), *requests(60, 900, start_s=4), *requests(60, 20, start_s=6)], stages=THREE)

    found = the_check(one, total("p95_ms", max=250, stage="recovery"))

    assert (found.window, found.actual, found.samples) == ("recovery", 20, 60)
    assert [each.actual for each in checks_of(one, total("p95_ms", max=250, stage="*"))] == [10, 900, 20]


def test_throughput_of_a_stage_is_over_the_length_of_that_stage():
    one = run(requests(60, start_s=4), stages=THREE)

    assert the_check(one, total("throughput_rps", min=1, stage="spike")).actual == 30


def test_the_warm_up_is_cut_from_the_stage_it_lies_in():
    one = run([*requests(50, 900), *requests(60, 10, start_s=2)], stages=THREE, warmup_s=2)

    found = the_check(one, total("p95_ms", max=250, stage="normal"))

    assert (found.actual, found.samples) == (10, 60)
    assert the_check(one, total("throughput_rps", min=1, stage="normal")).actual == 30


@pytest.mark.parametrize("make", [total, lambda metric, **limit: request("Home", metric, **limit)])
def test_a_stage_that_the_warm_up_covers_has_no_data(make):
    one = run([*requests(90), *requests(90, start_s=6)], stages=THREE, warmup_s=4)

    found = checks_of(one, make("p95_ms", max=250, stage="*"))

    assert [each.outcome for each in found] == [NO_DATA, NO_DATA, PASS]
    assert [each.note for each in found] == ["the warm-up covers all of it", "no requests", ""]


def test_a_request_that_is_missing_from_one_stage_has_no_data_there():
    one = run(requests(60), stages=THREE)

    found = the_check(one, request("Home", "p95_ms", max=250, stage="spike"))

    assert (found.subject, found.window, found.note) == ("Home", "spike", "no requests")


def test_a_stage_that_was_never_begun_has_no_data():
    one = run(requests(60), stages=THREE, duration_s=3, users_reached=(5,))

    found = the_check(one, total("p95_ms", max=250, stage="recovery"))

    assert (found.window, found.outcome) == ("recovery", NO_DATA)
    assert found.note == "the run ended before this stage began"


def test_a_pattern_that_matches_no_stage_has_no_data():
    found = the_check(run(requests(60), stages=THREE), total("p95_ms", max=250, stage="recovry"))

    assert str(found) == (
        "total [recovry]: p95 has no data, wanted <= 250 ms: the shape has no such stage; its stages: normal, spike, "
        "recovery (n = 0; thresholds.yaml:5)"
    )


def test_a_step_of_a_stress_run_may_break():
    one = run([*requests(60, 10), *requests(60, 900, start_s=3)], stages=STEPS, is_stress=True, duration_s=6)

    found = checks_of(one, total("p95_ms", max=250, stage="step_*"))

    # The third step was not run, because the second one broke.
    assert places(found) == [("total", "step_10", PASS), ("total", "step_20", FAIL)]
    assert [(each.severity, each.is_failed) for each in found] == [(Severity.INFO, False)] * 2


def test_the_whole_of_a_stress_run_may_not_break():
    one = run(requests(60, 900), stages=STEPS, is_stress=True)

    assert the_check(one, total("p95_ms", max=250)).is_failed
