"""Telemetry of the stack in containers: one trace from the load test outside to the services inside."""

from __future__ import annotations

import secrets
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.acceptance.otlp_receiver import Receiver
from tests.acceptance.test_telemetry_stack import ROOT, check_durations, check_trace, load_product_suite

IMAGE = f"tailgate/telling-collector:test-{secrets.token_hex(4)}"
"""Takes the collector's place: that writes to a file in its container, which is gone with it."""
SERVICE_IMAGE = "tailgate/product-service:test"
DOCKERFILE = f"""
FROM {SERVICE_IMAGE}
COPY otlp_receiver.py /
ENTRYPOINT ["python", "/otlp_receiver.py"]
"""
PATIENCE_S = 200

pytestmark = pytest.mark.docker


def docker(*arguments: str, **options) -> str:
    return subprocess.run(
        ["docker", *arguments], cwd=ROOT, check=True, capture_output=True, text=True, timeout=PATIENCE_S, **options
    ).stdout


@pytest.fixture
def telling_collector(tmp_path):
    """Make the image, of that of the product service, which has all that it needs."""
    docker("compose", "--file", "docker-compose.test.yml", "build", "--quiet", "product-service-1")
    (tmp_path / "otlp_receiver.py").write_text((ROOT / "tests/acceptance/otlp_receiver.py").read_text())
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    docker("build", "--quiet", "--tag", IMAGE, str(tmp_path))
    yield IMAGE
    docker("image", "rm", "--force", IMAGE)


def follow(path: Path, is_over: threading.Event) -> None:
    """Write down what the container tells, from its start until it is removed."""
    while not is_over.is_set():
        container = docker("ps", "--quiet", "--filter", f"ancestor={IMAGE}").strip()
        if container:
            with path.open("w") as file:
                subprocess.run(["docker", "logs", "--follow", container], stdout=file, check=False, timeout=PATIENCE_S)
            return
        time.sleep(0.1)


def test_the_stack_in_containers_makes_one_trace_with_the_load_test(telling_collector, tmp_path):
    told, is_over = tmp_path / "told", threading.Event()
    follower = threading.Thread(target=follow, args=(told, is_over))
    follower.start()
    try:
        traced = load_product_suite(
            tmp_path, Receiver(), "--perf-stack=docker", "--perf-otel", OTEL_COLLECTOR_IMAGE=telling_collector
        )
    finally:
        is_over.set()
        follower.join()
    for line in told.read_text().splitlines():
        traced.receiver.take_line(line)
    check_durations(traced)
    check_trace(traced)
