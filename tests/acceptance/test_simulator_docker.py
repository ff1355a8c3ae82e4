"""The simulator in containers: a master with three workers beside the stack, and what its image holds."""

from __future__ import annotations

import json
import re
import secrets
import subprocess
from urllib.request import ProxyHandler, build_opener

import pytest

from tailgate.stack import ComposeProject, Container
from tests.acceptance.simulator_processes import ROOT, check_books, wait_until
from tests.web_ui import WebUi

pytestmark = pytest.mark.docker

COMPOSE_FILE = ROOT / "simulations" / "docker-compose.yml"
IMAGE = "tailgate/simulator:test"
WORKERS = 3
INSTANCES = ("product-service-1", "product-service-2")


@pytest.fixture(scope="module")
def project():
    """Run the stack, a master and three workers."""
    variables = {"SIMULATOR_PORT": "", "SIMULATOR_SHAPE": "none"}
    name = f"tailgate-simulator-{secrets.token_hex(4)}"
    with ComposeProject(name, [COMPOSE_FILE], env=variables) as project:
        project.up("--build", "--scale", f"locust-worker={WORKERS}", "locust-master", "locust-worker")
        yield project


def url_of(project, service, port):
    return f"http://127.0.0.1:{Container(service, project.identities()[service]).published(port)}"


def served(project):
    """Return how many requests the two instances have answered."""
    opener = build_opener(ProxyHandler({}))
    answers = [opener.open(f"{url_of(project, name, 8000)}/internal/requests", timeout=10) for name in INSTANCES]
    return sum(sum(json.load(answer)["requests"].values()) for answer in answers)


def run_image(*arguments):
    return subprocess.run(
        ["docker", "run", "--rm", "--network=none", *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_three_workers_share_the_load_and_every_request_arrives(project):
    ui = WebUi(url_of(project, "locust-master", 8089))
    wait_until(lambda: ui.get("worker-count")["worker_count"] == WORKERS)
    page = json.loads(re.search(r"window.templateArgs = (.*)", ui.get(""))[1])
    assert (page["worker_count"], page["host"]) == (WORKERS, "http://nginx:8080")
    before = served(project)
    ui.post("swarm", user_count=6, spawn_rate=6)
    wait_until(lambda: ui.counters().get("successful_purchases", 0) > 20)
    assert [worker["user_count"] for worker in ui.get("stats/requests")["workers"]] == [2, 2, 2]
    ui.post("stop")
    wait_until(lambda: ui.get("stats/requests")["user_count"] == 0)
    requests, counters = ui.requests(), ui.counters()
    assert requests["Get_All_Products"] >= WORKERS  # each fetched the catalogue
    check_books(requests, counters)
    # The users of a worker that is told to stop are stopped at once: up to one request each arrives and is not counted.
    assert requests["Aggregated"] <= served(project) - before <= requests["Aggregated"] + 6


def test_the_address_of_the_service_is_read_when_the_container_runs(project):
    done = run_image("--env=PRODUCT_SERVICE_URL=nginx", IMAGE, "headless")
    assert done.returncode == 1
    assert done.stderr.startswith("PRODUCT_SERVICE_URL: 'nginx' cannot be used; wanted: what is loaded, a base URL")


def test_the_image_runs_as_nobody_in_particular(project):
    done = run_image("--entrypoint=id", IMAGE)
    assert done.stdout.startswith("uid=10001 gid=10001")
