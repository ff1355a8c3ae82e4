"""The simulator on the real stack: its modes, its shapes, what its configuration changes, what it reports."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from contextlib import ExitStack

import pytest

from tests.acceptance.simulator_processes import (
    ROOT,
    check_books,
    environment,
    printed_counters,
    run_to_end,
    running,
    wait_until,
)
from tests.web_ui import WebUi, free_port

MODES = ["ui", "headless", "distributed-master", "distributed-worker"]


def rows_of(path):
    with path.open(newline="") as file:
        return {row["Name"]: int(row["Request Count"]) for row in csv.DictReader(file)}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "which MODE?"),
        (["gui"], "'gui' is no MODE"),
        (["headless", *"123456"], "7 arguments, wanted 6 at most; put one with spaces in quotes"),
    ],
)
def test_a_wrong_call_shows_the_usage_and_what_is_wrong(tmp_path, arguments, problem):
    done = run_to_end(*arguments, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout.startswith("usage: run_tests.sh MODE [users] [spawn_rate] [runtime] [host] [master_host]\n")
    assert all(f"\n  {mode} " in done.stdout for mode in MODES)
    assert done.stdout.endswith(f"\nrun_tests.sh: {problem}\n")


def test_a_missing_locust_is_one_plain_message(tmp_path):
    done = run_to_end("headless", cwd=tmp_path, PATH="/usr/bin:/bin", SIMULATOR_REPORTS=tmp_path)
    assert done.returncode == 1
    assert done.stdout == (
        "run_tests.sh: locust is not on the PATH; in the repository's root: pip install --editable .\n"
    )


def test_a_wrong_configuration_is_told_at_once_and_nothing_is_started(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text("service: {timeout_seconds: soon}\nload_profile: {shape: peek}\n")
    done = run_to_end("headless", cwd=tmp_path, SIMULATOR_CONFIG=config, SIMULATOR_REPORTS=tmp_path)
    assert done.returncode == 1
    first, second = done.stdout.splitlines()
    assert first.startswith(f"{config}:1: $.service.timeout_seconds: 'soon' is not of type 'number'; wanted: ")
    assert second.startswith(f"{config}:2: $.load_profile.shape: 'peek' is not one of ")


def test_headless_reports_as_html_and_csv_and_prints_what_the_users_counted(stack, tmp_path):
    reports = tmp_path / "with a space"
    done = run_to_end("headless", "6", "6", "3s", stack.url, cwd=tmp_path, SIMULATOR_REPORTS=reports)
    assert done.returncode == 0, done.stdout
    requests = rows_of(reports / "simulation_stats.csv")
    assert {"Get_All_Products", "Get_Product_Details", "Search_By_Category", "Buy_Product"} < set(requests)
    assert requests["Aggregated"] == int(re.search(r"Aggregated +(\d+) +0\(0.00%\)", done.stdout)[1])
    check_books(requests, printed_counters(done.stdout))
    assert "Get_All_Products" in (reports / "simulation.html").read_text()


def test_the_weights_of_the_configuration_are_the_mix_of_tasks_and_tags_select_from_it(stack, tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(
        "scenario_weights: {browse_products: 0, search_by_category: 0, view_product_details: 0, check_price: 0}\n"
        "test_data:\n"
        "  edge_cases: [{name: Buy_Nothing, product: Laptop, quantity: 0, expected_status: 422}]\n"
    )
    variables = {"SIMULATOR_CONFIG": config, "SIMULATOR_REPORTS": tmp_path, "PRODUCT_SERVICE_URL": stack.url}
    done = run_to_end("headless", "4", "4", "2s", cwd=tmp_path, **variables, LOCUST_EXCLUDE_TAGS="stock")
    assert done.returncode == 0, done.stdout
    requests = rows_of(tmp_path / "simulation_stats.csv")
    assert set(requests) == {"Get_All_Products", "Buy_Product", "Buy_Nothing", "Aggregated"}
    assert requests["Get_All_Products"] == 1  # the first user fetched the catalogue for all


def test_an_answer_that_takes_longer_than_the_configuration_allows_is_a_failure(stack, tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(f"service: {{base_url: '{stack.url}', timeout_seconds: 0.0001}}\n")
    done = run_to_end("headless", "1", "1", "3s", cwd=tmp_path, SIMULATOR_CONFIG=config, SIMULATOR_REPORTS=tmp_path)
    assert done.returncode == 1
    requests = rows_of(tmp_path / "simulation_stats.csv")
    assert requests["Get_All_Products"] == 3  # one, and two more attempts
    assert "Error report" in done.stdout


def test_the_load_tests_have_the_same_weights(stack, tmp_path):
    config = tmp_path / "config.yaml"
    weights = dict.fromkeys(["browse_products", "search_by_category", "view_product_details", "check_price"], 0)
    config.write_text(json.dumps({"scenario_weights": weights | {"buy_product": 0, "buy_edge_case": 0}}))
    report = tmp_path / "report.json"
    command = [sys.executable, "-m", "pytest", "-m", "perf", "-p", "no:cacheprovider", "perf_tests/test_peak.py"]
    command += [f"--perf-stack={stack.url}", "--perf-time-scale=0.2", f"--perf-json={report}"]
    command += ["-p", "tests.plugin.own_turn"]
    variables = environment(SIMULATOR_CONFIG=config, TMPDIR=tmp_path)
    subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, timeout=60, check=False)
    (run,) = json.loads(report.read_text())["runs"]
    assert set(run["requests"]) - {"GET Get_All_Products"} == {"PUT Update_Stock"}  # the first is the catalogue


def test_the_stages_of_the_configuration_are_followed_to_their_end(stack, tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(
        f"service: {{base_url: '{stack.url}'}}\n"
        "load_profile:\n"
        "  stages: [{duration_seconds: 1, users: 2}, {duration_seconds: 2, users: 5, spawn_rate: 3}]\n"
    )
    variables = {"SIMULATOR_CONFIG": config, "SIMULATOR_REPORTS": tmp_path}
    done = run_to_end("headless", "", "7", cwd=tmp_path, **variables)
    assert done.returncode == 0, done.stdout
    assert "no number of users is given, so the shape 'stages' runs, which decides on spawn_rate" in done.stdout
    updates = re.findall(r"Shape test updating to (.*)", done.stdout)
    assert updates == ["2 users at 2.00 spawn rate", "5 users at 3.00 spawn rate"]
    assert "Shape test stopping" in done.stdout


def test_the_web_ui_offers_every_class_and_shape_to_pick_from(stack, tmp_path):
    config = tmp_path / "config.yaml"
    counted = dict.fromkeys(["buy_product", "buy_edge_case", "update_stock"], 0)
    config.write_text(json.dumps({"scenario_weights": counted}))
    port = free_port()
    variables = {"LOCUST_WEB_PORT": port, "LOCUST_USERCLASS_PICKER": "true", "SIMULATOR_SHAPE": "none"}
    variables["SIMULATOR_CONFIG"] = config
    with running(tmp_path / "ui", "ui", "", "", "", stack.url, **variables) as simulator:
        ui = WebUi(f"http://127.0.0.1:{port}")
        wait_until(lambda: ui.get(""))
        page = json.loads(re.search(r"window.templateArgs = (.*)", ui.get(""))[1])
        assert page["available_user_classes"] == ["Collector", "Shopper"]
        assert page["available_shape_classes"] == ["Default", "peak", "soak", "spike", "stages", "stress"]
        picked = ui.post("swarm", user_classes="Collector", shape_class="Default", user_count=3, spawn_rate=3)
        assert picked["user_classes"] == ["Collector"]
        wait_until(lambda: ui.requests().get("Buy_Scarce", 0) > 5)
        ui.post("stop")
        assert set(ui.requests()) == {"Get_All_Products", "Buy_Scarce", "Aggregated"}
        started = ui.post("swarm", user_classes="Shopper", shape_class="soak", user_count=1, spawn_rate=1)
        assert started["success"]
        wait_until(lambda: ui.requests().get("Get_All_Products", 0) > 1)
        assert ui.counters() == {}  # a new run counts anew, and its users do nothing that is counted
        assert simulator.end() == 0
    assert "Shape test updating to 50 users at 0.08 spawn rate" in simulator.output


def test_a_master_and_two_workers_share_the_load_and_the_master_adds_up_their_counters(stack, tmp_path):
    web, rpc = free_port(), free_port()
    variables = {"LOCUST_WEB_PORT": web, "LOCUST_MASTER_BIND_PORT": rpc, "LOCUST_MASTER_NODE_PORT": rpc}
    variables["SIMULATOR_SHAPE"] = "none"
    with ExitStack() as exits:
        # The workers are not told what to load; their master says.
        master = exits.enter_context(
            running(tmp_path / "master", "distributed-master", PRODUCT_SERVICE_URL=stack.url, **variables)
        )
        workers = [
            exits.enter_context(running(tmp_path / f"worker{number}", "distributed-worker", **variables))
            for number in (1, 2)
        ]
        ui = WebUi(f"http://127.0.0.1:{web}")
        wait_until(lambda: ui.get("worker-count")["worker_count"] == 2)
        ui.post("swarm", user_count=6, spawn_rate=6)
        wait_until(lambda: ui.counters().get("successful_purchases", 0) > 20)
        assert [worker["user_count"] for worker in ui.get("stats/requests")["workers"]] == [3, 3]
        ui.post("stop")
        wait_until(lambda: ui.get("stats/requests")["user_count"] == 0)
        requests, counters = ui.requests(), ui.counters()
        assert master.end() == 0
        assert [worker.wait() for worker in workers] == [0, 0]
    assert requests["Get_All_Products"] >= 2  # each worker fetched the catalogue
    check_books(requests, counters)
    assert printed_counters(master.output) == counters
    assert "Counters" not in workers[0].output + workers[1].output
