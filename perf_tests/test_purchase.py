"""Purchases: many buyers, little stock, and books that must balance."""

from __future__ import annotations

import json
from urllib.request import ProxyHandler, Request, build_opener

import pytest

from perf_tests.users import SCARCE, Collector, Shopper
from tailgate import Load, Peak
from tailgate.stack import Stack

STOCK = 200


@pytest.mark.perf
def test_purchase(load: Load, stack: Stack) -> None:
    """Exactly what there was is sold, and whoever comes late is told so."""
    _set_stock(stack.url, SCARCE, STOCK)
    run = load([Collector], shape=Peak(users=12, ramp_s=1, hold_s=6, ramp_down_s=1))
    run.check()
    assert run.counters["units_sold"] == STOCK


@pytest.mark.perf(scenario="mixed_purchases")
def test_purchases_of_everything(load: Load) -> None:
    """Only the tasks that have to do with buying, selected by their tags."""
    load([Shopper], shape=Peak(users=8, ramp_s=1, hold_s=6, ramp_down_s=1), tags=["purchase", "stock"]).check()


def _set_stock(url: str, name: str, stock: int) -> None:
    body = json.dumps({"name": name, "stock": stock}).encode()
    headers = {"Content-Type": "application/json"}
    order = Request(f"{url}/products/stock", data=body, headers=headers, method="PUT")  # noqa: S310 - our own URL
    with build_opener(ProxyHandler({})).open(order, timeout=10):  # the users take no proxy either
        pass
