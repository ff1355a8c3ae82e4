"""The books of the product suite: each way in which they can be wrong shows, on the real stack."""

from __future__ import annotations

import http.client
import json

import psycopg
import pytest
from locust import constant, task

from fixtures import books
from fixtures.books import Books
from perf_tests.journal import Journal
from perf_tests.users import ProductUser
from tailgate.errors import TailgateError
from tests.acceptance.engine_runs import hold, run
from tests.unit.run_examples import run as measured

ADD_TO_STOCK = "UPDATE products SET stock = stock + %s WHERE name = 'Phone'"


@pytest.fixture
def journal():
    return Journal()


@pytest.fixture
def close_books(database, journal):
    """Open the books; call it to close them."""
    close = Books(database, journal).begin()
    return lambda: close(measured())


@pytest.fixture
def scratch(database):
    """Statements on a connection whose changes are all undone when the test ends."""
    with database.transaction(force_rollback=True):
        yield database


def buy(stack, name, units, key=None):
    """Buy through nginx."""
    connection = http.client.HTTPConnection(stack.nginx.address, timeout=10)
    headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
    connection.request("POST", "/products/buy", json.dumps({"name": name, "quantity": units}), headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert answer.status == 200


def book_sale(database, name, units, key):
    """Put a purchase into the ledger as a service might that errs."""
    database.execute("UPDATE products SET stock = stock - %s WHERE name = %s", [units, name])
    database.execute(
        "INSERT INTO ledger (product_id, kind, change, quantity, unit_price, stock_after, idempotency_key) "
        "SELECT product_id, 'purchase', -%s::bigint, %s, price, stock, %s FROM products WHERE name = %s",
        [units, units, key, name],
    )


def sell(journal, name, units):
    """Have a client told that it bought something, and return the purchase's key."""
    key = journal.begin(name, units)
    journal.end(key, is_sold=True)
    return key


def test_purchases_that_the_client_counted_balance(stack, close_books, journal):
    buy(stack, "Phone", 3, sell(journal, "Phone", 3))
    assert close_books() == {
        "oversold_units": 0,
        "unaccounted_units": 0,
        "unknown_purchases": 0,
        "unknown_purchases_made": 0,
    }


def test_a_purchase_that_no_client_counted_is_unaccounted(stack, close_books):
    buy(stack, "Phone", 3)
    assert close_books()["unaccounted_units"] == 3


def test_a_purchase_that_is_not_in_the_ledger_is_unaccounted(close_books, journal):
    sell(journal, "Phone", 2)
    assert close_books()["unaccounted_units"] == 2


def test_a_lost_purchase_does_not_make_up_for_one_that_was_booked_twice(close_books, journal, scratch):
    sell(journal, "Phone", 3)
    key = sell(journal, "Phone", 3)
    book_sale(scratch, "Phone", 3, key)
    book_sale(scratch, "Phone", 3, None)
    assert close_books()["unaccounted_units"] == 6


def test_a_purchase_of_another_product_is_wrong_for_both(close_books, journal, scratch):
    book_sale(scratch, "Laptop", 2, sell(journal, "Phone", 2))
    assert close_books()["unaccounted_units"] == 4


def test_a_purchase_of_another_number_is_wrong_by_the_difference(close_books, journal, scratch):
    book_sale(scratch, "Phone", 5, sell(journal, "Phone", 2))
    book_sale(scratch, "Phone", 1, sell(journal, "Phone", 4))
    assert close_books()["unaccounted_units"] == 6


def test_a_purchase_that_was_refused_and_booked_is_unaccounted(close_books, journal, scratch):
    key = journal.begin("Phone", 2)
    journal.end(key, is_sold=False)
    book_sale(scratch, "Phone", 2, key)
    assert close_books()["unaccounted_units"] == 2


@pytest.mark.parametrize(("booked", "wrong"), [(("Phone", 5), 4), (("Laptop", 1), 1), (("Phone", 1), 0)])
def test_a_lost_answer_explains_what_was_asked_for_and_no_more(close_books, journal, scratch, booked, wrong):
    book_sale(scratch, *booked, journal.begin("Phone", 1))
    figures = close_books()
    assert (figures["unaccounted_units"], figures["unknown_purchases_made"]) == (wrong, 1)


def test_more_purchases_than_are_read_at_once_are_compared(close_books, journal, scratch, monkeypatch):
    monkeypatch.setattr(books, "_AT_ONCE", 2)
    for units in (1, 2, 3, 4, 5):
        book_sale(scratch, "Phone", units, sell(journal, "Phone", units))
    assert close_books()["unaccounted_units"] == 0


def test_a_purchase_before_the_run_is_not_held_against_it(stack, database, journal):
    buy(stack, "Phone", 3)
    assert Books(database, journal).begin()(measured())["unaccounted_units"] == 0


@pytest.mark.parametrize(("was_made", "made"), [(True, 1), (False, 0)])
def test_a_purchase_whose_answer_was_lost_is_explained_by_the_ledger(stack, close_books, journal, was_made, made):
    key = journal.begin("Phone", 4)
    if was_made:
        buy(stack, "Phone", 4, key)
    figures = close_books()
    assert figures["unaccounted_units"] == 0
    assert (figures["unknown_purchases"], figures["unknown_purchases_made"]) == (1, made)


def test_a_lost_answer_does_not_excuse_another_purchase(stack, close_books, journal):
    buy(stack, "Phone", 4, journal.begin("Phone", 4))
    buy(stack, "Phone", 1)
    assert close_books()["unaccounted_units"] == 1


def test_a_lost_purchase_that_is_booked_only_in_the_next_run_is_explained(stack, database, journal):
    both = Books(database, journal)
    close = both.begin()
    key = journal.begin("Phone", 4)
    first = close(measured())
    close = both.begin()
    buy(stack, "Phone", 4, key)
    second = close(measured())
    assert (first["unknown_purchases"], first["unknown_purchases_made"]) == (1, 0)
    assert (second["unknown_purchases"], second["unknown_purchases_made"]) == (0, 1)
    assert first["unaccounted_units"] == second["unaccounted_units"] == 0


def test_books_that_do_not_come_to_rest_are_not_balanced(stack, close_books, monkeypatch):
    monkeypatch.setattr(books, "_SETTLE_S", 0.1)
    with psycopg.connect(stack.postgres.dsn) as holder:
        holder.execute("SELECT")
        message = "cannot be balanced: statements that the database still runs after 0.1 s: 1"
        with pytest.raises(TailgateError, match=message):
            close_books()


@pytest.mark.parametrize("units", [7, -7])
def test_a_stock_that_changed_behind_the_ledgers_back_is_unaccounted(close_books, scratch, units):
    scratch.execute(ADD_TO_STOCK, [units])
    figures = close_books()
    assert (figures["unaccounted_units"], figures["oversold_units"]) == (7, 0)


def test_a_stock_below_what_was_sold_is_oversold(close_books, journal, scratch):
    for table, column in (("products", "stock"), ("ledger", "stock_after")):
        scratch.execute(f"ALTER TABLE {table} DROP CONSTRAINT {table}_{column}_check")
    book_sale(scratch, "ZeroStockItem", 5, sell(journal, "ZeroStockItem", 5))
    figures = close_books()
    assert (figures["oversold_units"], figures["unaccounted_units"]) == (5, 0)


class Buyer(ProductUser):
    wait_time = constant(0.01)

    @task
    def buy_phone(self):
        self.buy("Phone", 2, expected=(200,), name="Buy_Phone")


def test_buyers_that_were_killed_while_the_database_was_stuck_are_looked_up(stack, database, journal, monkeypatch):
    monkeypatch.setattr(ProductUser, "journal", journal)
    close = Books(database, journal).begin()
    with psycopg.connect(stack.postgres.dsn) as holder:
        holder.execute("SELECT FROM products WHERE name = 'Phone' FOR UPDATE")
        done = run([Buyer], stack.url, hold(4, 0.3), stop_timeout_s=0.1)
        assert (done.samples.censored, dict(done.counters)) == (4, {})
        holder.rollback()
        figures = close(done)
    assert figures == {
        "oversold_units": 0,
        "unaccounted_units": 0,
        "unknown_purchases": 4,
        "unknown_purchases_made": 4,
    }
