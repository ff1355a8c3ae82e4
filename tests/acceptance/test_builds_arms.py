"""The product suite's arms of a duet: real stacks of two builds side by side."""

import shutil
import statistics
import sys
import time
from http.client import HTTPConnection
from pathlib import Path

import pytest

from fixtures.duet import embedded_arm, external_arm
from tailgate.errors import StackNotReady
from tailgate.stack.builds import Build, named_failures, working_tree

ROOT = Path(__file__).parents[2]


@pytest.fixture
def checkout(tmp_path):
    """A copy of the service, as another commit would have it."""
    shutil.copytree(ROOT / "product_service", tmp_path / "product_service")
    return Build(name="baseline", label="main (1a2b3c4)", directory=tmp_path, python=Path(sys.executable))


def put_first(checkout, code):
    """Have the checkout's service do something before anything else."""
    path = checkout.directory / "product_service" / "__main__.py"
    path.write_text(path.read_text().replace("import asyncio\n", f"import asyncio\n{code}\n", 1))


def ask(stack, times=1):
    """Return for how many seconds requests were answered, and the last answer."""
    connection = HTTPConnection(stack.url.removeprefix("http://"), timeout=30)
    durations_s = []
    for _ in range(times):
        start_s = time.perf_counter()
        connection.request("GET", "/products/1")
        response = connection.getresponse()
        answer = response.read()
        durations_s.append(time.perf_counter() - start_s)
    connection.close()
    return statistics.median(durations_s), response.status, answer


def test_two_builds_run_side_by_side_with_databases_of_their_own(checkout):
    (checkout.directory / "product_service" / "schema.sql").write_text(
        (ROOT / "product_service" / "schema.sql").read_text().replace("'Laptop'", "'Typewriter'")
    )
    with embedded_arm(checkout) as base, embedded_arm(working_tree(ROOT)) as candidate:
        assert b'"Typewriter"' in ask(base)[2]
        assert b'"Laptop"' in ask(candidate)[2]
        assert list(base.processes) == list(candidate.processes)
        assert base.check_alive() == candidate.check_alive() == []
        before_s = candidate.service_cpu_s()
        ask(candidate, times=200)
        assert candidate.service_cpu_s() > before_s > 0


def test_settings_in_the_environment_are_the_candidates_alone(checkout, monkeypatch):
    monkeypatch.setenv("PRODUCT_SERVICE_DELAY_MS", "50")
    monkeypatch.setenv("PRODUCT_SERVICE_WHAT_AN_OLDER_BUILD_DOES_NOT_KNOW", "")
    with embedded_arm(checkout) as base, embedded_arm(working_tree(ROOT)) as candidate:
        base_s, candidate_s = (ask(stack, times=20)[0] for stack in (base, candidate))
    assert candidate_s >= 0.05
    assert candidate_s - base_s > 0.03


def test_a_build_that_does_not_start_is_named_with_what_its_service_said(checkout):
    put_first(checkout, "raise SystemExit('no such luck')")
    with pytest.raises(StackNotReady) as caught, named_failures(checkout):
        embedded_arm(checkout).__enter__()
    assert str(caught.value).startswith("baseline main (1a2b3c4): service 'product-service-")
    assert "no such luck" in str(caught.value)


def test_a_build_that_is_slower_to_start_is_waited_for(checkout):
    put_first(checkout, "import time; time.sleep(1.5)")
    with embedded_arm(checkout) as stack:
        assert ask(stack)[1] == 200


def test_somebody_elses_arm_has_to_answer(checkout):
    with embedded_arm(checkout) as running, external_arm(running.url) as stack:
        assert (stack.url, stack.is_external, stack.service_cpu_s()) == (running.url, True, None)
