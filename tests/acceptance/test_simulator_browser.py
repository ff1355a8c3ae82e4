"""The simulator's web UI as a person sees it: started, watched, stopped and downloaded from in a real browser."""

from __future__ import annotations

import csv

import pytest

from tests.acceptance.browsers import browser
from tests.acceptance.simulator_processes import check_books, running, wait_until
from tests.web_ui import WebUi, free_port


@pytest.fixture
def ui(stack, tmp_path):
    """Run the simulator without a shape, so that the form asks for users."""
    port = free_port()
    with running(tmp_path / "log", "ui", "", "", "", stack.url, LOCUST_WEB_PORT=port, SIMULATOR_SHAPE="none"):
        ui = WebUi(f"http://127.0.0.1:{port}")
        wait_until(lambda: ui.get(""))
        yield ui


def test_a_run_is_started_watched_stopped_and_downloaded(ui, tmp_path):
    with browser(tmp_path) as page:
        page.driver.get(ui.url)
        page.fill("userCount", "4")
        page.fill("spawnRate", "4")
        page.click("button", "start")

        first = page.wait(lambda: total(page))
        page.wait(lambda: total(page) > first)  # the statistics move by themselves

        page.click("[role=tab]", "counters")
        sold = page.wait(lambda: counters(page).get("units_sold"))
        page.wait(lambda: counters(page)["units_sold"] > sold)

        page.click("button", "stop")
        page.find("button", "new")
        seen = page.wait(lambda: counters(page) == ui.counters() and ui.counters())

        page.click("[role=tab]", "download data")
        page.click("a", "Download requests CSV")
        (report,) = page.wait(lambda: list(page.downloads.glob("*_requests.csv")))
        with report.open(newline="") as file:
            requests = {row["Name"]: int(row["Request Count"]) for row in csv.DictReader(file)}
    assert requests == ui.requests()
    check_books(requests, seen)


def total(page):
    """Return how many requests the table of statistics shows."""
    return next((int(requests) for _, name, requests, *_ in page.rows() if name == "Aggregated"), 0)


def counters(page):
    """Return what the table of counters shows."""
    return {name: int(count) for name, count in page.rows()}
