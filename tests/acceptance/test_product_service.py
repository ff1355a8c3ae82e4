"""The routes of the product service: what they answer and what they refuse."""

import json
import re

import pytest
from jsonschema import Draft202012Validator

pytest_plugins = ["tests.acceptance.service_fixtures"]

JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def service(shop):
    with shop.running(shop.new_database(), "product-1") as (only,):
        yield only


def catalogue(service):
    return service.get("/products").json()["data"]


def test_the_seed_is_a_hundred_products_over_three_categories(service):
    products = catalogue(service)
    assert [product["productID"] for product in products] == list(range(1, 101))
    assert len({product["name"] for product in products}) == 100
    assert {product["category"] for product in products} == {"Electronics", "Clothing", "Books"}
    assert all(0 < product["price"] < 1000 for product in products)


@pytest.mark.parametrize(
    ("name", "category", "price"),
    [
        ("Laptop", "Electronics", 999.99),
        ("Phone", "Electronics", 599.99),
        ("Headphones", "Electronics", 149.99),
        ("Novel 006", "Books", 80.13),
        ("Gadget 100", "Electronics", 323.99),
    ],
)
def test_the_seed_holds_this_product(service, name, category, price):
    (product,) = [product for product in catalogue(service) if product["name"] == name]
    assert (product["category"], product["price"]) == (category, price)
    assert product["stock"] >= 90_000


def test_the_seed_has_an_empty_and_a_short_stock_and_lacks_one_name(service):
    stocks = {product["name"]: product["stock"] for product in catalogue(service)}
    assert stocks["ZeroStockItem"] == 0
    assert stocks["LimitedEdition"] == 50
    assert "NonExistentProduct" not in stocks
    assert min(stock for name, stock in stocks.items() if name not in {"ZeroStockItem", "LimitedEdition"}) >= 90_000


def test_every_price_is_written_with_two_decimals(service):
    assert len(re.findall(r'"price":\d+\.\d\d[,}]', service.get("/products").text)) == 100


def test_a_category_filters_the_catalogue(service):
    books = service.get("/products", params={"category": "Books"}).json()["data"]
    assert books == [product for product in catalogue(service) if product["category"] == "Books"]
    assert len(books) > 20


def test_an_unknown_category_is_an_empty_list(service):
    answer = service.get("/products", params={"category": "Toys"})
    assert (answer.status_code, answer.json()) == (200, {"data": []})


def test_a_product_is_found_by_its_number(service):
    answer = service.get("/products/2")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == next(product for product in catalogue(service) if product["productID"] == 2)


def test_details_are_found_by_name(service):
    answer = service.client.post("/products/details", json={"name": "Headphones"})
    assert answer.status_code == 200
    assert answer.json() == {"productID": 3, "name": "Headphones", "price": 149.99, "stock": 100_000}


def test_a_purchase_takes_from_the_stock_and_answers_a_receipt(service):
    receipt = service.buy("Phone", 3)
    assert receipt.status_code == 200
    assert receipt.json() == {
        "purchaseID": receipt.json()["purchaseID"],
        "productID": 2,
        "name": "Phone",
        "quantity": 3,
        "unitPrice": 599.99,
        "total": 1799.97,
        "stock": 99_997,
    }
    assert service.stock_of("Phone") == 99_997


def test_a_stock_is_set_and_moved(service):
    before = service.stock_of("Laptop")
    assert service.put_stock(name="Laptop", stock=500).json() == {
        "productID": 1,
        "name": "Laptop",
        "change": 500 - before,
        "stock": 500,
    }
    assert service.put_stock(name="Laptop", delta=-20).json()["stock"] == 480
    assert service.put_stock(name="Laptop", delta=99_520).json()["stock"] == 100_000
    assert service.stock_of("Laptop") == 100_000


def test_what_does_not_exist_is_404(service):
    missing = "NonExistentProduct"
    answers = [
        service.get("/products/101"),
        service.client.post("/products/details", json={"name": missing}),
        service.buy(missing, 1),
        service.put_stock(name=missing, stock=1),
        service.put_stock(name=missing, delta=1),
    ]
    assert [answer.status_code for answer in answers] == [404] * 5
    assert {answer.json()["detail"] for answer in answers[1:]} == {"no product is called 'NonExistentProduct'"}
    assert service.get("/nothing").status_code == 404


def test_too_little_stock_is_409_and_changes_nothing(service):
    answer = service.buy("ZeroStockItem", 1)
    assert (answer.status_code, answer.json()) == (409, {"detail": "0 of 'ZeroStockItem' are left, 1 wanted"})
    answer = service.put_stock(name="ZeroStockItem", delta=-1)
    assert (answer.status_code, answer.json()) == (409, {"detail": "0 of 'ZeroStockItem' are left, 1 to be taken away"})
    assert service.buy("Headphones", 100_001).status_code == 409
    assert service.stock_of("Headphones") == 100_000


@pytest.mark.parametrize("quantity", [0, -1, 1.5, 1.0, "2", True, None, 10**10, 10**30, [1]])
def test_a_quantity_that_is_not_a_positive_whole_number_is_422(service, quantity):
    assert service.buy("Laptop", quantity).status_code == 422


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"stock": 1, "delta": 1},
        {"stock": -1},
        {"stock": "5"},
        {"delta": 0.5},
        {"delta": 10**10},
        {"stock": 1, "price": 2},
    ],
)
def test_a_stock_change_that_is_not_exactly_one_of_the_two_is_422(service, change):
    assert service.put_stock(name="Laptop", **change).status_code == 422


@pytest.mark.parametrize("name", ['""', r'"a\u0000b"', r'"\ud800"', "7", "null", json.dumps("x" * 201)])
def test_a_name_that_is_not_usable_text_is_422(service, name):
    for path in ("/products/details", "/products/buy"):
        answer = service.client.post(path, content=f'{{"name": {name}, "quantity": 1}}', headers=JSON)
        assert answer.status_code == 422, answer.text
    assert service.client.put(
        "/products/stock", content=f'{{"name": {name}, "stock": 1}}', headers=JSON
    ).is_client_error


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b'{"name": NaN}'])
def test_a_body_that_is_not_an_object_is_refused(service, body):
    assert service.client.post("/products/buy", content=body, headers=JSON).status_code in {400, 422}


@pytest.mark.parametrize("number", ["0", "-1", "x", "1.5", "99999999999", "9" * 5000])
def test_a_product_number_out_of_range_is_422(service, number):
    assert service.get(f"/products/{number}").status_code == 422


def test_a_wrong_method_is_405(service):
    assert service.client.delete("/products").status_code == 405


@pytest.mark.parametrize("name", ["Robert'); DROP TABLE products;--", "%", "Lap_op", "ラップトップ", "💻"])
def test_a_name_is_never_more_than_a_name(service, name):
    assert service.buy(name, 1).status_code == 404
    assert len(catalogue(service)) == 100


def test_every_answer_names_its_instance(service):
    answers = [service.get("/products"), service.get("/nothing"), service.get("/health"), service.buy("Laptop", 0)]
    assert {answer.headers["x-instance"] for answer in answers} == {"product-1"}


def test_health_says_that_the_database_answers(service):
    answer = service.get("/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "instance": "product-1"})


def test_each_request_is_counted_once_under_its_route(service):
    before = service.counted()
    service.get("/products")
    service.get("/products?category=Books")
    service.get("/products/1")
    service.get("/products/101")
    service.buy("Laptop", 0)
    service.get("/nothing")
    service.client.delete("/products")
    service.get("/health")
    service.get("/internal/requests")
    after = service.counted()
    assert {name: count - before.get(name, 0) for name, count in after.items() if count != before.get(name)} == {
        "GET /products": 2,
        "GET /products/{product_id}": 2,
        "POST /products/buy": 1,
        "GET (no route)": 1,
        "DELETE /products": 1,
    }


def test_the_counts_name_the_process(service):
    counts = service.get("/internal/requests").json()
    assert (counts["instance"], counts["pid"]) == ("product-1", service.process.pid)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+\+00:00", counts["started_at"])


def test_the_openapi_document_describes_the_answers(service):
    document = service.get("/openapi.json").json()
    assert sorted(document["paths"]) == [
        "/health",
        "/internal/requests",
        "/products",
        "/products/buy",
        "/products/details",
        "/products/stock",
        "/products/{product_id}",
    ]
    assert list(document["paths"]["/products/buy"]["post"]["responses"]) == ["200", "404", "409", "503", "422"]
    answers = {
        ("get", "/products"): service.get("/products"),
        ("get", "/products/{product_id}"): service.get("/products/5"),
        ("post", "/products/details"): service.client.post("/products/details", json={"name": "Laptop"}),
        ("post", "/products/buy"): service.buy("Gadget 007", 1),
        ("put", "/products/stock"): service.put_stock(name="Gadget 007", delta=1),
        ("get", "/health"): service.get("/health"),
        ("get", "/internal/requests"): service.get("/internal/requests"),
    }
    for (method, path), answer in answers.items():
        check_schema(document, document["paths"][path][method]["responses"]["200"], answer.json())
    missing = document["paths"]["/products/{product_id}"]["get"]["responses"]
    check_schema(document, missing["404"], service.get("/products/101").json())
    check_schema(document, missing["422"], service.get("/products/x").json())


def check_schema(document, response, answer):
    schema = response["content"]["application/json"]["schema"]
    Draft202012Validator(schema | {"components": document["components"]}).validate(answer)
    (name,) = [schema["$ref"].rsplit("/", 1)[1]]
    assert set(answer) == set(document["components"]["schemas"][name]["properties"])
