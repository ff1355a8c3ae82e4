"""The shop's users as classes: the mix of their tasks, the tags, and what makes an answer wrong."""

from __future__ import annotations

from collections import Counter

import pytest

from perf_tests import users
from perf_tests.journal import Journal
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
    first, second = journal.begin(2), journal.begin(3)
    journal.end(first)
    assert first != second
    assert journal.drain() == {second: 3}
    assert (journal.drain(), journal.lost) == ({}, {second})


def test_an_answer_that_comes_after_the_books_were_closed_changes_nothing():
    journal = Journal()
    key = journal.begin(2)
    drained = journal.drain()
    journal.end(key)
    assert (drained, journal.drain()) == ({key: 2}, {})
