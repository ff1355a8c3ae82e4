"""Two instances of the product service over one database: never oversold, and the books always balance."""

import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.acceptance.service_shop import query

pytest_plugins = ["tests.acceptance.service_fixtures"]


@pytest.fixture(scope="module")
def database(shop):
    return shop.new_database()


@pytest.fixture(scope="module")
def services(shop, database):
    with shop.running(database, "product-1", "product-2") as both:
        yield both


@pytest.fixture
def balanced(database):
    """Check after the test that every product's stock is what its ledger says, now and at every entry."""
    yield
    off = query(
        database,
        """SELECT name, stock, initial_stock + coalesce(sum(change), 0) AS booked
        FROM products LEFT JOIN ledger USING (product_id)
        GROUP BY product_id HAVING stock <> initial_stock + coalesce(sum(change), 0)""",
    )
    assert off == []
    broken = query(
        database,
        """SELECT entry_id FROM (
            SELECT *, initial_stock + sum(change) OVER (PARTITION BY product_id ORDER BY entry_id) AS running
            FROM ledger JOIN products USING (product_id)
        ) AS entries WHERE stock_after <> running""",
    )
    assert broken == []


def at_once(calls):
    """Run the calls in a thread each and return their results in the same order."""
    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


def alternating(services, count, call):
    """Make ``call(service, number)`` ``count`` times at once, in turns on each instance."""
    return at_once([lambda n=n: call(services[n % len(services)], n) for n in range(count)])


def purchases(database, name):
    return query(
        database,
        "SELECT ledger.* FROM ledger JOIN products USING (product_id) WHERE name = $1 AND kind = 'purchase'",
        name,
    )


def test_instances_that_start_at_once_seed_once(services, database):
    assert query(database, "SELECT count(*), count(DISTINCT name) FROM products") == [(100, 100)]
    first, second = (service.get("/products") for service in services)
    assert first.json() == second.json()
    assert [answer.headers["x-instance"] for answer in (first, second)] == ["product-1", "product-2"]


def test_sixty_buyers_of_fifty_units_buy_fifty(services, database, balanced):
    answers = alternating(services, 60, lambda service, _: service.buy("LimitedEdition", 1))
    assert Counter(answer.status_code for answer in answers) == {200: 50, 409: 10}
    assert sorted(answer.json()["stock"] for answer in answers if answer.status_code == 200) == list(range(50))
    assert services[0].stock_of("LimitedEdition") == 0
    sold = purchases(database, "LimitedEdition")
    assert [(row["change"], row["quantity"], str(row["unit_price"])) for row in sold] == [(-1, 1, "79.95")] * 50


def test_buyers_of_different_quantities_never_take_more_than_there_is(services, database, balanced):
    services[0].put_stock(name="Novel 009", stock=40)
    answers = alternating(services, 40, lambda service, n: service.buy("Novel 009", 1 + n % 5))
    sold = sum(answer.json()["quantity"] for answer in answers if answer.status_code == 200)
    assert {answer.status_code for answer in answers} == {200, 409}
    assert services[1].stock_of("Novel 009") == 40 - sold >= 0
    assert sum(row["quantity"] for row in purchases(database, "Novel 009")) == sold


def test_stocks_set_and_moved_while_others_buy_stay_in_balance(services, balanced):
    def change(service, n):
        if n % 4 == 0:
            return service.put_stock(name="Jacket 008", stock=10 + n)
        if n % 4 == 1:
            return service.put_stock(name="Jacket 008", delta=-3)
        return service.buy("Jacket 008", 2)

    services[0].put_stock(name="Jacket 008", stock=20)
    answers = alternating(services, 48, change)
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert all(answer.status_code == 200 for answer in answers[::4])


def test_every_change_leaves_its_own_row_and_a_refused_one_none(services, database, balanced):
    service = services[0]
    service.put_stock(name="Gadget 010", stock=7)
    service.put_stock(name="Gadget 010", stock=7)
    service.put_stock(name="Gadget 010", delta=-8)
    service.put_stock(name="Gadget 010", delta=-2)
    service.buy("Gadget 010", 6)
    service.buy("Gadget 010", 5)
    rows = query(database, "SELECT kind, change, stock_after FROM ledger WHERE product_id = 10 ORDER BY entry_id")
    assert rows == [
        ("adjustment", 7 - 100_010, 7),
        ("adjustment", 0, 7),
        ("adjustment", -2, 5),
        ("purchase", -5, 0),
    ]


def test_the_same_key_at_once_sells_once(services, database, balanced):
    key = str(uuid.uuid4())
    answers = alternating(services, 20, lambda service, _: service.buy("Laptop", 2, key))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert [(row["quantity"], row["idempotency_key"]) for row in purchases(database, "Laptop")] == [(2, key)]


def test_the_same_key_at_once_for_the_last_unit_is_one_sale_for_all(services, database, balanced):
    for name in ("Novel 012", "Novel 015", "Novel 018"):
        services[0].put_stock(name=name, stock=1)
        key = str(uuid.uuid4())
        answers = alternating(services, 10, lambda service, _, name=name, key=key: service.buy(name, 1, key))
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.text for answer in answers}) == 1
        assert len(purchases(database, name)) == 1


def test_a_receipt_is_the_same_after_later_sales(services, balanced):
    key = str(uuid.uuid4())
    first = services[0].buy("Headphones", 2, key)
    services[1].buy("Headphones", 5)
    assert services[1].buy("Headphones", 2, key.upper()).text == first.text


@pytest.mark.parametrize(("name", "quantity"), [("Phone", 4), ("Laptop", 3), ("NonExistentProduct", 3)])
def test_a_key_belongs_to_one_purchase(services, balanced, name, quantity):
    key = str(uuid.uuid4())
    assert services[0].buy("Phone", 3, key).status_code == 200
    before = services[0].get("/products").json()
    answer = services[1].buy(name, quantity, key)
    assert answer.status_code == 422
    assert answer.json() == {"detail": "the idempotency key was used to buy 3 of 'Phone'"}
    assert services[0].get("/products").json() == before


def test_different_purchases_racing_for_one_key_sell_one_of_them(services, database, balanced):
    key = str(uuid.uuid4())
    names = ["Novel 021", "Novel 024"]
    answers = alternating(services, 10, lambda service, n: service.buy(names[n // 2 % 2], 1, key))
    assert {answer.status_code for answer in answers} == {200, 422}
    assert len([row for name in names for row in purchases(database, name)]) == 1


def test_a_refused_purchase_leaves_its_key_unused(services, balanced):
    key = str(uuid.uuid4())
    services[0].put_stock(name="Novel 027", stock=0)
    assert services[0].buy("Novel 027", 1, key).status_code == 409
    services[0].put_stock(name="Novel 027", stock=1)
    assert services[0].buy("Novel 027", 1, key).status_code == 200
    assert services[0].buy("Novel 027", 1, key).status_code == 200
    assert services[0].stock_of("Novel 027") == 0


@pytest.mark.parametrize("key", ["abc", "1234", "x" * 65, "11111111-2222-4333-8444-55555555555g"])
def test_a_key_that_is_no_uuid_is_422(services, balanced, key):
    assert services[0].buy("Phone", 1, key).status_code == 422


def test_an_instance_that_starts_later_finds_the_stock_as_it_is(shop, services, database, balanced):
    before = services[0].get("/products").json()
    services[0].buy("Jacket 011", 4)
    with shop.running(database, "product-3") as (third,):
        assert third.get("/products").json() == services[0].get("/products").json() != before
