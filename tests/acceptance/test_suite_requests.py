"""How many requests nginx and the services saw, beside what the users counted: each difference shows."""

from __future__ import annotations

import http.client
import socket

import pytest

from fixtures.books import RequestCounts
from tests.unit import run_examples

VICTIM = "product-service-1"


@pytest.fixture
def compare(stack):
    """Begin to count; call it with the number of the client's samples."""
    counts = RequestCounts(stack)
    return lambda samples: counts.compare(run_examples.run(run_examples.requests(samples)))


def send(process, method, path):
    connection = http.client.HTTPConnection(process.address, timeout=10)
    connection.request(method, path)
    status = connection.getresponse().status
    connection.close()
    return status


def test_requests_that_everybody_counted_show_no_difference(stack, compare):
    for path in ("/products", "/products/1", "/products/details", "/nowhere") * 2:
        send(stack.nginx, "GET", path)
    figures = compare(8)
    assert figures.pop("instances_serving") in {1, 2}  # nginx leaves one that was just killed alone for a second
    assert set(figures.values()) == {0}


def test_a_request_that_never_reached_nginx_is_lost(stack, compare):
    send(stack.nginx, "GET", "/products/1")
    assert compare(2)["requests_lost"] == 1


def test_a_request_that_the_client_did_not_count_is_not_made_up_for(stack, compare):
    send(stack.nginx, "GET", "/products/1")
    assert compare(0)["requests_lost"] == -1


def test_health_checks_are_nobodys_load(stack, compare):
    send(stack.nginx, "GET", "/health")
    assert set(compare(0).values()) == {0}


def test_a_request_that_nginx_refused_is_without_service(stack, compare):
    with socket.create_connection(("127.0.0.1", stack.nginx.port), timeout=10) as connection:
        connection.sendall(b"this is not HTTP\r\n\r\n")
        assert b"400 Bad Request" in connection.recv(4096)
    figures = compare(1)
    assert (figures["requests_lost"], figures["requests_without_service"]) == (0, 1)


def test_a_request_past_nginx_is_counted_once_too_often(stack, compare):
    send(stack.services[VICTIM], "GET", "/products/1")
    assert compare(0)["requests_uncounted"] == -1


def test_a_request_that_the_service_refused_to_read_is_uncounted(stack, compare):
    assert send(stack.nginx, "BREW", "/products/1") == 400
    assert compare(1)["requests_uncounted"] == 1


def test_a_request_that_nginx_sent_again_is_a_retry_and_a_killed_instance_leaves_its_count_out(stack, compare):
    stack.kill(VICTIM)
    try:
        assert [send(stack.nginx, "GET", "/products/1") for _ in range(2)] == [200, 200]
        figures = compare(2)
    finally:
        stack.start(VICTIM).wait_ready()
    assert figures == {"requests_lost": 0, "upstream_retries": 1, "requests_without_service": 0, "instances_serving": 1}
