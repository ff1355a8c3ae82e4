"""The product stack in containers: what is in it, and that it is killed, asked and counted like the embedded one."""

from __future__ import annotations

import json
import os
import subprocess
import time
from contextlib import contextmanager
from unittest.mock import ANY
from urllib.request import ProxyHandler, build_opener

import psycopg
import pytest

from fixtures.books import RequestCounts
from fixtures.docker import COMPOSE_FILE, INSTANCES, docker_stack, new_project_name
from product_service.settings import FAULTS, PREFIX, SETTINGS
from tailgate.errors import BadInput, TailgateError
from tailgate.stack.docker import inspect
from tests.acceptance.docker_sessions import left_of
from tests.unit.run_examples import run as measured

pytestmark = pytest.mark.docker

VICTIM, OTHER = INSTANCES
MOST_SLEEPERS = 10
SOME_IMAGE = "python:3.13-slim"
_DIRECT = build_opener(ProxyHandler({}))


@pytest.fixture(scope="module")
def project():
    name = new_project_name()
    yield name
    assert left_of(name) == []


@pytest.fixture(scope="module")
def stack(project):
    with docker_stack(project) as stack:
        yield stack


def ask(stack, path="/products/3"):
    """Send a request through nginx; return the instance that answered."""
    with _DIRECT.open(stack.url + path, timeout=10) as answer:
        return answer.headers["X-Instance"]


def docker(*arguments):
    return subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, check=True, timeout=120
    ).stdout.strip()


@pytest.fixture(scope="module")
def containers(stack):
    """What the engine knows of each container."""
    return {name: member.inspect() for name, member in stack.processes.items()}


def test_it_has_the_services_of_the_stack_that_a_team_deploys(stack, containers, project):
    assert list(stack.processes) == ["postgres", *INSTANCES, "nginx", "otel-collector"]
    networks = {network for one in containers.values() for network in one["NetworkSettings"]["Networks"]}
    assert networks == {f"{project}_otel_internal-network"}
    assert not stack.is_external


def test_nobody_in_it_is_root_or_can_become_more_than_he_is(containers):
    for name, one in containers.items():
        host = one["HostConfig"]
        assert one["Config"]["User"] not in {"", "0", "root"}, name
        assert host["ReadonlyRootfs"], name
        assert host["CapDrop"] == ["ALL"], name
        assert host["SecurityOpt"] == ["no-new-privileges:true"], name
        assert host["RestartPolicy"]["Name"] == "no", name


def test_ports_are_published_on_the_loopback_interface_only(containers):
    published = [binding for one in containers.values() for binding in one["NetworkSettings"]["Ports"].values()]
    assert {binding["HostIp"] for bindings in published if bindings for binding in bindings} == {"127.0.0.1"}


def test_both_instances_are_of_one_image_and_have_equal_limits(containers):
    first, second = (containers[name] for name in INSTANCES)
    assert first["Image"] == second["Image"]
    for limit in ("NanoCpus", "Memory", "PidsLimit"):
        assert first["HostConfig"][limit] == second["HostConfig"][limit] > 0


def test_requests_reach_both_instances_and_are_counted_by_nginx_and_by_them(stack):
    wait_until_both_serve(stack)
    counts = RequestCounts(stack)
    assert {ask(stack) for _ in range(4)} == set(INSTANCES)
    assert counts.compare(measured()) == {
        "requests_lost": -4,
        "upstream_retries": 0,
        "requests_without_service": 0,
        "instances_serving": 2,
        "requests_uncounted": 0,
    }


def test_the_ledger_can_be_read(stack):
    with psycopg.connect(stack.postgres.dsn) as connection:
        assert connection.execute("SELECT count(*) FROM products").fetchone()[0] > 0


def test_an_instance_that_is_killed_is_replaced_by_the_other_and_comes_back(stack):
    counts = RequestCounts(stack)
    stack.kill(VICTIM)
    assert {ask(stack) for _ in range(4)} == {OTHER}
    assert stack.check_alive() == []  # we asked for it
    stack.start(VICTIM).wait_ready()
    wait_until_both_serve(stack)
    figures = counts.compare(measured())
    assert figures["instances_serving"] == 2
    assert "requests_uncounted" not in figures  # the one that was killed took its count with it


def test_an_instance_that_comes_back_with_another_address_is_found_by_nginx(stack, containers, project):
    victim = containers[VICTIM]["Id"]
    address = container_address(victim)
    stack.kill(VICTIM)
    with taken(f"{project}_otel_internal-network", address):
        stack.start(VICTIM).wait_ready()
        assert container_address(victim) != address
        wait_until_both_serve(stack)


def test_a_container_that_dies_by_itself_is_told(stack):
    docker("kill", stack.services[VICTIM].inspect()["Id"])
    assert stack.check_alive() == [f"{VICTIM} was killed by SIGKILL"]
    with pytest.raises(TailgateError, match=f"^container '{VICTIM}': wanted one port that is published; published are"):
        _ = stack.services[VICTIM].port
    stack.start(VICTIM).wait_ready()
    wait_until_both_serve(stack)
    assert stack.check_alive() == []


def test_processor_time_grows_with_the_work_and_outlives_a_restart(stack):
    before = stack.cpu_s()
    assert set(before) == set(stack.processes)
    assert min(before.values()) > 0
    stack.restart(VICTIM).wait_ready()
    wait_until_both_serve(stack)
    after = stack.cpu_s()
    assert all(after[name] >= before[name] for name in before)
    assert stack.service_cpu_s() >= sum(after[name] for name in INSTANCES)


def test_a_service_that_is_not_there_is_told_with_those_that_are(stack):
    with pytest.raises(TailgateError, match="no process 'shop'; it has: postgres, product-service-1"):
        stack.kill("shop")


def test_a_second_stack_of_another_image_stands_beside_the_first(stack, containers):
    other = f"tailgate/product-service:{new_project_name()}"
    docker("tag", containers[VICTIM]["Config"]["Image"], other)
    try:
        with docker_stack(second := new_project_name(), env={"PRODUCT_IMAGE": other}) as beside:
            assert beside.url != stack.url
            assert {beside.services[name].inspect()["Config"]["Image"] for name in INSTANCES} == {other}
            assert ask(beside) in INSTANCES
        assert left_of(second) == []
    finally:
        docker("image", "rm", other)
    assert stack.check_alive() == []


def test_an_image_of_the_product_that_cannot_be_had_is_not_made_instead():
    name = new_project_name()
    with (
        pytest.raises(BadInput, match=r"^the image 'tailgate/no-such-image:1' is not here and cannot be pulled: "),
        docker_stack(name, env={"PRODUCT_IMAGE": "tailgate/no-such-image:1"}),
    ):
        pytest.fail("it was made")
    assert left_of(name) == []


def test_every_setting_of_the_environment_reaches_the_instances():
    given = {f"{PREFIX}{name}": "7" for name in (*SETTINGS, *FAULTS) if name not in {"HOST", "PORT"}}
    command = ["docker", "compose", "-f", str(COMPOSE_FILE), "config", "--format", "json"]
    done = subprocess.run(command, env={**os.environ, **given}, capture_output=True, check=True)
    services = json.loads(done.stdout)["services"]
    for name in INSTANCES:
        ours = {f"{PREFIX}DATABASE_URL": ANY, f"{PREFIX}INSTANCE": name}
        got = {key: text for key, text in services[name]["environment"].items() if key.startswith(PREFIX)}
        assert got == given | ours


def container_address(identity):
    (network,) = inspect([identity])[0]["NetworkSettings"]["Networks"].values()
    return network["IPAddress"]


@contextmanager
def taken(network, address):
    """Keep an address of a network taken: the engine gives a container the lowest that is free."""
    sleep = ["run", "--detach", "--rm", "--init", "--network", network, "--entrypoint", "sleep", SOME_IMAGE, "60"]
    sleepers = []
    try:
        while not sleepers or container_address(sleepers[-1]) != address:
            assert len(sleepers) < MOST_SLEEPERS
            sleepers.append(docker(*sleep))
        yield
    finally:
        docker("rm", "--force", *sleepers)


def wait_until_both_serve(stack):
    """Wait until nginx uses both instances again: it leaves one out for a second or two after it failed."""
    deadline = time.monotonic() + 20
    while {ask(stack) for _ in range(4)} != set(INSTANCES):
        assert time.monotonic() < deadline
        time.sleep(0.1)
