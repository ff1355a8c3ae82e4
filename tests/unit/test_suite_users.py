"""The shop's users as classes: the mix of their tasks, the tags, and what makes an answer wrong."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

import msgpack
import pytest

from perf_tests import users
from perf_tests.journal import Journal, Page, Purchase
from perf_tests.users import Collector, Shopper
from tailgate.engine.users import select_tasks, tags_of

WEIGHTS = {
    "browse_products": 10,
    "view_product_details": 8,
    "search_by_category": 7,
    "buy_product": 5,
    "update_stock": 1,
    "buy_edge_case": 2,
    "check_price": 1,
}
TASKS_BY_TAG = {
    "browse": {"browse_products"},
    "details": {"view_product_details", "check_price"},
    "search": {"search_by_category"},
    "purchase": {"buy_product"},
    "stock": {"update_stock"},
    "edge": {"buy_edge_case"},
}
LAPTOP = {"productID": 1, "name": "Laptop", "price": 999.99, "stock": 3}


def names_of(tasks):
    return Counter(task.__name__ for task in tasks)


def test_the_mix_of_tasks_is_that_of_production():
    assert names_of(Shopper.tasks) == WEIGHTS


def test_the_tags_are_those_that_are_documented():
    assert tags_of(Shopper.tasks) == set(TASKS_BY_TAG)
    assert tags_of(Collector.tasks) == {"purchase"}


@pytest.mark.parametrize("tag", TASKS_BY_TAG)
def test_a_tag_selects_its_tasks_with_their_weights_and_leaves_the_class_alone(tag):
    before = list(Shopper.tasks)
    selected = select_tasks(Shopper.tasks, frozenset({tag}))
    assert names_of(selected) == {name: WEIGHTS[name] for name in TASKS_BY_TAG[tag]}
    assert Shopper.tasks == before


@pytest.mark.parametrize("price", [149.99, 149.98, 150.00])
def test_a_price_may_be_off_by_a_cent_on_either_side(price):
    assert users._price_problem({"name": "Headphones", "price": price}, 149.99) == ""


@pytest.mark.parametrize("price", [149.97, 150.01, 0, -149.99, float("nan")])
def test_a_price_that_is_off_by_more_is_named(price):
    problem = users._price_problem({"name": "Headphones", "price": price}, 149.99)
    assert problem == f"Headphones costs {price}, should be 149.99"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({}, ""),
        ({"stock": 0}, ""),
        ({"stock": -1}, "stock is -1"),
        ({"name": "Phone"}, "asked for Laptop, got Phone"),
        ({"productID": 2}, "asked for Laptop, got Laptop"),
    ],
)
def test_details_are_compared_with_the_catalogue(change, problem):
    assert users._details_problem(LAPTOP | change, LAPTOP) == problem


def test_missing_fields_are_named():
    assert users._details_problem({"name": "Laptop"}, LAPTOP) == "fields are missing: price, productID, stock"


@pytest.mark.parametrize(
    ("categories", "problem"),
    [
        (["Books", "Books"], ""),
        (["Books", "Clothing"], "asked for Books, got products of ['Books', 'Clothing']"),
        ([], "asked for Books, got products of []"),
    ],
)
def test_a_category_holds_its_own_products_and_at_least_one(categories, problem):
    answer = {"data": [{"category": category} for category in categories]}
    assert users._category_problem(answer, "Books") == problem


def test_a_catalogue_without_products_is_wrong():
    assert users._catalogue_problem({"data": []}) == "the catalogue is empty"
    assert users._catalogue_problem({"data": [LAPTOP]}) == ""


def test_a_purchase_is_unknown_until_its_answer_comes():
    journal = Journal()
    first, second = journal.begin("Phone", 2), journal.begin("Phone", 3)
    journal.end(first, is_sold=True)
    assert UUID(first) != UUID(second)
    assert journal.drain().unknown == {second: ("Phone", 3)}
    assert (journal.drain().unknown, journal.lost) == ({}, {second: ("Phone", 3)})


def test_an_answer_that_comes_after_the_books_were_closed_changes_nothing():
    journal = Journal()
    key = journal.begin("Phone", 2)
    drained = journal.drain()
    journal.end(key, is_sold=True)
    assert (drained.unknown, journal.drain().unknown) == ({key: ("Phone", 2)}, {})
    assert drained.find_sold(key) is None


def test_what_was_sold_is_found_once_by_its_key():
    journal = Journal()
    sold, refused, missing = (journal.begin("Phone", units) for units in (1, 2, 3))
    for key in (sold, refused, missing):
        journal.end(key, is_sold=key != refused)
    drained = journal.drain()
    nobodys = (None, "abc", sold[:-12] + "f" * 12, sold[:-1] + "?")
    assert [drained.find_sold(key) for key in (sold, sold, refused, *nobodys)] == [("Phone", 1), *[None] * 6]
    assert list(drained.not_found()) == [("Phone", 3)]


def test_the_page_of_a_worker_is_one_more():
    worker, leader = Journal(), Journal()
    keys = [one.begin("Phone", units) for units, one in enumerate((leader, worker, worker), start=1)]
    worker.end(keys[1], is_sold=True)
    message = msgpack.loads(msgpack.dumps(worker.page.to_data()))
    leader.others.append(Page.from_data(message))
    drained = leader.drain()
    assert drained.find_sold(keys[1]) == ("Phone", 2)
    assert drained.unknown == {keys[0]: ("Phone", 1), keys[2]: ("Phone", 3)}


def test_a_million_purchases_take_a_few_megabytes():
    page = Page()
    purchase = Purchase("Phone", 1)
    for _ in range(10_000):
        page.add(purchase)
    assert len(page.asked.tobytes()) + len(page.states) == 50_000
    assert len(page.wishes) == 1
