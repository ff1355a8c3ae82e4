"""The journeys of the shop's users; ``simulations/config.yaml`` has the weights of their tasks and the test data."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from gevent.lock import Semaphore
from locust import User, between, tag, task

from perf_tests.client import CheckingUser
from perf_tests.journal import Journal, gather
from simulations.configuration import load_configuration

Product = dict[str, Any]
"""``productID``, ``name``, ``category``, ``price``, ``stock``."""

CONFIGURATION = load_configuration()
KNOWN_PRICES = {"Laptop": 999.99, "Phone": 599.99, "Headphones": 149.99}
PRICE_TOLERANCE = 0.01
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
        key = self.journal.begin(product, units)
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
            self.journal.end(key, is_sold=status == 200)
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
        special = {SCARCE, *(case.product for case in CONFIGURATION.edge_cases)}
        return [product for product in products if product["name"] not in special]


gather(ProductUser.journal)


class Shopper(ProductUser):
    """Does everything that the shop's users do."""

    @tag("browse")
    @task
    def browse_products(self) -> None:
        """Look at everything."""
        self.call("GET", "/products", name="Get_All_Products", validate=_catalogue_problem)

    @tag("details")
    @task
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
    @task
    def search_by_category(self) -> None:
        """Look at one category."""
        category = random.choice(CONFIGURATION.categories)
        self.call(
            "GET",
            f"/products?category={quote(category)}",
            name="Search_By_Category",
            validate=lambda answer: _category_problem(answer, category),
        )

    @tag("purchase")
    @task
    def buy_product(self) -> None:
        """Buy 1 to 5 units of something that there is plenty of."""
        product = random.choice(self.catalogue)
        units = random.randint(1, MOST_UNITS)
        self.buy(product["name"], units, expected=(200, 409), name="Buy_Product")

    @tag("stock")
    @task
    def update_stock(self) -> None:
        """Refill a product; to a number rather than by one, so that it may be sent again."""
        product = random.choice(self.catalogue)
        stock = {"name": product["name"], "stock": REFILL_UNITS}
        response = self.call("PUT", "/products/stock", name="Update_Stock", json=stock)
        if response.status_code == 200:
            self.counters.add("stock_updates")

    @tag("edge")
    @task
    def buy_edge_case(self) -> None:
        """Buy what has to be refused, with the one status that is right."""
        case = random.choice(CONFIGURATION.edge_cases)
        self.buy(case.product, case.quantity, expected=(case.expected_status,), name=case.name)

    @tag("details")
    @task
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


def apply_weights(user_class: type[User], weights: Mapping[str, int]) -> None:
    """Have a class do each of its tasks as often, beside the others, as ``weights`` says by the task's name."""
    user_class.tasks = [task for task in dict.fromkeys(user_class.tasks) for _ in range(weights[task.__name__])]


apply_weights(Shopper, CONFIGURATION.weights)


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
