"""The journeys of the shop's users, with the weights that production showed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from gevent.lock import Semaphore
from locust import between, tag, task

from perf_tests.client import CheckingUser
from perf_tests.journal import Journal

Product = dict[str, Any]
"""``productID``, ``name``, ``category``, ``price``, ``stock``."""

CATEGORIES = ("Electronics", "Clothing", "Books")
KNOWN_PRICES = {"Laptop": 999.99, "Phone": 599.99, "Headphones": 149.99}
PRICE_TOLERANCE = 0.01
ABSENT = "NonExistentProduct"
SOLD_OUT = "ZeroStockItem"
SCARCE = "LimitedEdition"
REFILL_UNITS = 100_000
MOST_UNITS = 5

_FETCHING = Semaphore()


class ProductUser(CheckingUser):
    """Knows the catalogue, which the first user of a run fetches and all others share."""

    abstract = True
    wait_time = between(0.05, 0.15)
    journal = Journal()

    catalogue: Sequence[Product] = ()

    def on_start(self) -> None:
        """Take the run's catalogue, or fetch it."""
        environment = self.environment
        with _FETCHING:
            if getattr(environment, "catalogue", None) is None:
                environment.catalogue = self._fetch_catalogue()
        self.catalogue = environment.catalogue

    def buy(self, product: str, units: int, *, expected: tuple[int, ...], name: str) -> None:
        """Buy, and keep the books: an expected 409 is out of stock and not a failed purchase."""
        key = self.journal.begin(units)
        response = self.call(
            "POST",
            "/products/buy",
            name=name,
            expected=expected,
            json={"name": product, "quantity": units},
            headers={"Idempotency-Key": key},
        )
        status = response.status_code
        if 0 < status < 500:
            self.journal.end(key)
        if status == 200:
            self.counters.add("successful_purchases")
            self.counters.add("units_sold", units)
        elif status == 409 and status in expected:
            self.counters.add("out_of_stock")
        elif status not in expected:
            self.counters.add("failed_purchases")

    def _fetch_catalogue(self) -> Sequence[Product]:
        response = self.call("GET", "/products", name="Get_All_Products", validate=_catalogue_problem)
        response.raise_for_status()  # what is wrong with it is why this user cannot live
        products: Sequence[Product] = response.json()["data"]
        return [product for product in products if product["name"] not in {SOLD_OUT, SCARCE}]


class Shopper(ProductUser):
    """Does everything that the shop's users do."""

    @tag("browse")
    @task(10)
    def browse_products(self) -> None:
        """Look at everything."""
        self.call("GET", "/products", name="Get_All_Products", validate=_catalogue_problem)

    @tag("details")
    @task(8)
    def view_product_details(self) -> None:
        """Look at one product."""
        product = random.choice(self.catalogue)
        self.call(
            "POST",
            "/products/details",
            name="Get_Product_Details",
            json={"name": product["name"]},
            validate=lambda answer: _details_problem(answer, product),
        )

    @tag("search")
    @task(7)
    def search_by_category(self) -> None:
        """Look at one category."""
        category = random.choice(CATEGORIES)
        self.call(
            "GET",
            f"/products?category={category}",
            name="Search_By_Category",
            validate=lambda answer: _category_problem(answer, category),
        )

    @tag("purchase")
    @task(5)
    def buy_product(self) -> None:
        """Buy 1 to 5 units of something that there is plenty of."""
        product = random.choice(self.catalogue)
        units = random.randint(1, MOST_UNITS)
        self.buy(product["name"], units, expected=(200, 409), name="Buy_Product")

    @tag("stock")
    @task(1)
    def update_stock(self) -> None:
        """Refill a product; to a number rather than by one, so that it may be sent again."""
        product = random.choice(self.catalogue)
        stock = {"name": product["name"], "stock": REFILL_UNITS}
        response = self.call("PUT", "/products/stock", name="Update_Stock", json=stock)
        if response.status_code == 200:
            self.counters.add("stock_updates")

    @tag("edge")
    @task(1)
    def buy_what_does_not_exist(self) -> None:
        """An unknown product has to be refused as such."""
        self.buy(ABSENT, 1, expected=(404,), name="Buy_Nonexistent")

    @tag("edge")
    @task(1)
    def buy_what_is_sold_out(self) -> None:
        """A product without stock has to be refused as such."""
        self.buy(SOLD_OUT, 1, expected=(409,), name="Buy_Sold_Out")

    @tag("details")
    @task(1)
    def check_price(self) -> None:
        """Known products cost what they should; one request name for all of them."""
        name, price = random.choice(list(KNOWN_PRICES.items()))
        self.call(
            "POST",
            "/products/details",
            name="Check_Price",
            json={"name": name},
            validate=lambda answer: _price_problem(answer, price),
        )


class Collector(ProductUser):
    """Wants one scarce product and nothing else."""

    @tag("purchase")
    @task
    def buy_scarce_product(self) -> None:
        """Buy 1 to 5 units of the scarce product; in the end there are none."""
        self.buy(SCARCE, random.randint(1, MOST_UNITS), expected=(200, 409), name="Buy_Scarce")


def _catalogue_problem(answer: Any) -> str:
    return "" if answer["data"] else "the catalogue is empty"


def _category_problem(answer: Any, category: str) -> str:
    found = {product["category"] for product in answer["data"]}
    return "" if found == {category} else f"asked for {category}, got products of {sorted(found)}"


def _details_problem(answer: Any, product: Product) -> str:
    missing = {"productID", "name", "price", "stock"} - set(answer)
    if missing:
        return f"fields are missing: {', '.join(sorted(missing))}"
    if answer["name"] != product["name"] or answer["productID"] != product["productID"]:
        return f"asked for {product['name']}, got {answer['name']}"
    return "" if answer["stock"] >= 0 else f"stock is {answer['stock']}"


def _price_problem(answer: Any, price: float) -> str:
    off = abs(answer["price"] - price)
    return "" if off <= PRICE_TOLERANCE + 1e-9 else f"{answer['name']} costs {answer['price']}, should be {price}"
