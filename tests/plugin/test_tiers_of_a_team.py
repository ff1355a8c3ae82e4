"""Where the time goes, for a team with a stack of its own: told in a few lines, shown in every report."""

from __future__ import annotations

import pytest

SERVICE = """
import os, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        waited_ms = float(os.environ.get("SEARCH_MS", 60)) if self.path == "/search" else 0
        time.sleep(waited_ms / 1000)
        with open("service.log", "a") as log:
            log.write(f"{self.headers.get('X-Request-Id', '-')} {waited_ms}\\n")
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args): pass

server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""

STACK = """
import subprocess, sys
from pathlib import Path
import pytest
from tailgate.loading import RunningTarget

LOG = Path("service.log")

@pytest.fixture
def perf_target():
    process = subprocess.Popen([sys.executable, "service.py"], stdout=subprocess.PIPE, text=True)
    with process:
        yield RunningTarget(f"http://127.0.0.1:{process.stdout.readline().strip()}")
        process.kill()
"""

LOCATE = """
@pytest.fixture
def load(load):
    load.locate(begin)
    return load

def begin():
    LOG.write_text("")
    return told

def told(run):
    for line in LOG.read_text().splitlines():
        request_id, waited_ms = line.split()
        yield request_id, {"search engine": float(waited_ms)}
"""
"""All that it takes to have another tier told of."""

TESTS = """
class Seeker(FastHttpUser):
    wait_time = constant(0.01)

    @task
    def search(self):
        self.client.get("/search", name="Search")

    @task
    def look(self):
        self.client.get("/", name="Home")

@pytest.mark.perf
def test_search(load):
    load([Seeker], shape=[Stage(name="only", duration_s=0.6, users=6)])
"""

LIMITS = """
search:
  requests: {GET Search: {p50_ms: 5}, GET Home: {p50_ms: 5000}}
"""
REPORTS = ("--perf-json=report.json", "--junitxml=junit.xml")


@pytest.fixture
def team(suite):
    """Write a suite with a service of its own; call it with the rest of its ``conftest.py``."""

    def team(locate, tests=TESTS):
        suite.put("service.py", SERVICE).put("conftest.py", STACK + locate)
        return suite.write(tests, LIMITS)

    return team


def ids(suite):
    """Return the ids that the service was told, in the last run."""
    return [line.split()[0] for line in (suite.directory / "service.log").read_text().splitlines()]


def test_a_breach_tells_the_tier_in_every_report(team):
    session = team(LOCATE).run(*REPORTS)
    assert session.status == 1, session.output
    (run,) = session.runs
    assert run["verdict"] == "fail"
    names = ["network and generator", "search engine"]
    assert {name: [tier["name"] for tier in part["tiers"]] for name, part in run["tiers"].items()} == {
        "GET Home": names,
        "GET Search": names,
        "total": names,
    }
    assert run["tiers"]["total"]["samples"] == run["total"]["samples"]
    assert run["tiers"]["GET Search"]["tiers"][1]["p95_ms"] == 60
    assert run["tiers"]["GET Home"]["tiers"][1]["p95_ms"] == 0
    breakdown = next(check["breakdown"] for check in run["checks"] if check["subject"] == "GET Search")
    assert breakdown.startswith("search engine took 60.0 of ")
    assert breakdown in session.failure("test_search").text
    assert breakdown in " ".join(session.output.split())
    assert "tiers p95  network and generator " in session.output
    assert "   search engine 60.0 ms" in session.output


def test_without_anything_that_tells_requests_carry_no_number_and_nothing_is_said(team):
    suite = team("")
    session = suite.run(*REPORTS)
    (run,) = session.runs
    assert (run["tiers"], {check["breakdown"] for check in run["checks"]}) == ({}, {""})
    assert set(ids(suite)) == {"-"}
    assert "tiers" not in session.output


def test_ids_that_users_send_themselves_are_left_alone(team):
    own = TESTS.replace('name="Search"', 'name="Search", headers={"X-Request-ID": "mine"}')
    suite = team(LOCATE, own)
    session = suite.run(*REPORTS)
    (run,) = session.runs
    assert list(run["tiers"]) == ["GET Home", "total"]
    assert ids(suite).count("mine") >= run["requests"]["GET Search"]["samples"]
    assert len(set(ids(suite)) - {"mine"}) >= run["requests"]["GET Home"]["samples"]


def test_an_id_among_the_default_headers_of_a_user_is_left_alone(team):
    suite = team(LOCATE, TESTS.replace("wait_time", 'default_headers = {"x-request-id": "mine"}\n    wait_time'))
    session = suite.run(*REPORTS)
    (run,) = session.runs
    assert (run["tiers"], set(ids(suite))) == ({}, {"mine"})


def test_what_cannot_be_told_is_a_note_and_no_verdict(team):
    session = team(LOCATE.replace("request_id, waited_ms = line", "request_id = line")).run(*REPORTS)
    (run,) = session.runs
    assert (run["verdict"], run["tiers"]) == ("fail", {})
    (note,) = run["notes"]
    assert note.startswith("where the time went could not be told: ")


def test_a_breach_beside_saved_runs_tells_which_tier_grew(team):
    suite = team(LOCATE).limit("search: {requests: {GET Search: {p95_ms: 5000, min_samples: 5}}}")
    saved = suite.run("--perf-save", "--perf-json=report.json", SEARCH_MS="1")
    assert saved.status == 0, saved.output
    suite.limit("search: {requests: {GET Search: {p95_ms: 5, min_samples: 5}}}")
    session = suite.run("--perf-compare", *REPORTS, SEARCH_MS="150")
    (check,) = session.runs[0]["checks"]
    assert check["breakdown"].startswith("search engine took 150 of ")
    assert check["breakdown"].endswith(" slowest, up from 1.0 ms in saved runs")


def test_several_may_tell(team):
    more = LOCATE.replace("    return load\n", "    load.locate(lambda: also)\n    return load\n")
    more += 'def also(run):\n    return ((request_id, {"cache": 0.25}) for request_id, _ in told(run))\n'
    session = team(more).run(*REPORTS)
    (run,) = session.runs
    names = [tier["name"] for tier in run["tiers"]["total"]["tiers"]]
    assert names == ["network and generator", "search engine", "cache"]
