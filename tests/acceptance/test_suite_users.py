"""The shop's users on the real stack: what they ask for, under which names, and what they count."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace

import pytest

from perf_tests import users
from perf_tests.journal import Journal
from perf_tests.users import CONFIGURATION, KNOWN_PRICES, SCARCE, Collector, ProductUser, Shopper
from simulations.configuration import EdgeCase
from tests.acceptance.single_user import single_user

REQUEST_NAMES = {
    "browse_products": "GET Get_All_Products",
    "view_product_details": "POST Get_Product_Details",
    "search_by_category": "GET Search_By_Category",
    "buy_product": "POST Buy_Product",
    "update_stock": "PUT Update_Stock",
    "check_price": "POST Check_Price",
}
"""Thresholds, reports and baselines refer to these: whoever changes one breaks them."""
EDGE_CASES = {"POST Buy_Nonexistent", "POST Buy_Sold_Out"}
"""Likewise; one task has them all."""
SOLD_OUT = "ZeroStockItem"


@pytest.fixture
def journal(monkeypatch):
    journal = Journal()
    monkeypatch.setattr(ProductUser, "journal", journal)
    return journal


@pytest.fixture
def shopper(stack, journal):
    with started(Shopper, stack) as shopper:
        yield shopper


@contextmanager
def started(user_class, stack, environment=None):
    """Make a user that has fetched the catalogue, and has no samples yet."""
    with single_user(user_class, stack.url, environment) as user:
        user.on_start()
        user.samples.clear()
        yield user


@pytest.mark.parametrize("task", REQUEST_NAMES)
def test_each_task_sends_one_request_of_its_name_and_the_shop_answers_as_expected(shopper, task):
    for _ in range(5):
        getattr(shopper, task)()
    assert shopper.samples == [(REQUEST_NAMES[task], "")] * 5


def test_every_task_of_the_shopper_has_a_name_in_the_list():
    assert {task.__name__ for task in Shopper.tasks} == {*REQUEST_NAMES, "buy_edge_case"}


def test_edge_cases_are_refused_as_they_should_be(shopper, journal):
    for _ in range(20):
        shopper.buy_edge_case()
    assert set(shopper.samples) == {(name, "") for name in EDGE_CASES}
    assert set(shopper.counters.as_dict()) == {"out_of_stock"}
    assert journal.drain().unknown == {}


def test_an_edge_case_that_is_answered_otherwise_is_a_failure(shopper, monkeypatch):
    case = EdgeCase(name="Buy_Nothing", product="Laptop", quantity=0, expected_status=409)
    monkeypatch.setattr(users, "CONFIGURATION", replace(CONFIGURATION, edge_cases=(case,)))
    shopper.buy_edge_case()
    assert shopper.samples == [("POST Buy_Nothing", "status 422, expected 409")]
    assert shopper.counters.as_dict() == {"failed_purchases": 1}


def test_the_catalogue_is_fetched_once_and_shared(stack, shopper):
    with single_user(Shopper, stack.url, shopper.environment) as second:
        second.on_start()
        assert second.catalogue is shopper.catalogue
    assert shopper.samples == []


def test_the_catalogue_is_what_there_is_plenty_of(shopper):
    names = {product["name"] for product in shopper.catalogue}
    assert len(names) == 98
    assert set(KNOWN_PRICES) < names
    assert not names & {SOLD_OUT, SCARCE}
    assert {product["category"] for product in shopper.catalogue} == set(CONFIGURATION.categories)


def test_a_purchase_is_counted_with_its_units_and_leaves_nothing_unknown(shopper, journal):
    shopper.buy("Phone", 3, expected=(200, 409), name="Buy")
    assert shopper.counters.as_dict() == {"successful_purchases": 1, "units_sold": 3}
    assert journal.drain().unknown == {}


def test_an_expected_409_is_out_of_stock_and_not_a_failed_purchase(shopper, journal):
    shopper.buy(SOLD_OUT, 1, expected=(200, 409), name="Buy")
    assert shopper.counters.as_dict() == {"out_of_stock": 1}
    assert (shopper.samples, journal.drain().unknown) == ([("POST Buy", "")], {})


def test_an_unexpected_409_is_a_failed_purchase(shopper, journal):
    shopper.buy(SOLD_OUT, 1, expected=(200,), name="Buy")
    assert shopper.counters.as_dict() == {"failed_purchases": 1}
    assert (shopper.samples, journal.drain().unknown) == ([("POST Buy", "status 409, expected 200")], {})


def test_an_expected_404_is_neither_bought_nor_failed(shopper):
    shopper.buy("NonExistentProduct", 1, expected=(404,), name="Buy")
    assert shopper.counters.as_dict() == {}


def test_what_should_not_have_been_sold_is_a_failure_and_in_the_books(shopper):
    shopper.buy("Phone", 2, expected=(409,), name="Buy")
    assert shopper.counters.as_dict() == {"successful_purchases": 1, "units_sold": 2}
    assert shopper.samples == [("POST Buy", "status 200, expected 409")]


def test_a_refill_is_counted(shopper):
    shopper.update_stock()
    assert shopper.counters.as_dict() == {"stock_updates": 1}


def test_a_collector_buys_the_scarce_product_only(stack, journal):
    with started(Collector, stack) as collector:
        for _ in range(30):
            collector.buy_scarce_product()
        counts = collector.counters.as_dict()
        assert set(collector.samples) == {("POST Buy_Scarce", "")}
    # Of a stock of 50 at most; other tests may have bought it.
    assert counts.get("successful_purchases", 0) + counts["out_of_stock"] == 30
