"""Locust imported without its monkey patching, each time in a fresh process."""

import json
import os
import subprocess
import sys

import pytest

from tailgate import unpatched

REPORT = """
import json, os, sys
from tailgate import unpatched
unpatched.install()
unpatched.install()
{before}
import locust
from gevent import monkey
from importlib.resources import files
print(json.dumps({{
    "is_patched": any(monkey.is_module_patched(name) for name in ("socket", "ssl", "threading", "time", "select")),
    "variable": os.environ.get("LOCUST_SKIP_MONKEY_PATCH"),
    "has_resources": files("locust").joinpath("__init__.py").is_file(),
    "finders": sum(type(finder).__module__ == "tailgate.unpatched" for finder in sys.meta_path),
    "file": os.path.basename(locust.__file__),
}}))
"""


def report(before="", **variables):
    """What a fresh process found after it had imported Locust."""
    environment = {name: value for name, value in os.environ.items() if name != "LOCUST_SKIP_MONKEY_PATCH"}
    result = subprocess.run(
        [sys.executable, "-c", REPORT.format(before=before)],
        env={**environment, **variables},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return json.loads(result.stdout)


def test_importing_locust_leaves_the_process_unpatched():
    assert report() == {
        "is_patched": False,
        "variable": None,
        "has_resources": True,
        "finders": 1,
        "file": "__init__.py",
    }


def test_a_variable_that_was_set_stays_as_it_was():
    found = report(LOCUST_SKIP_MONKEY_PATCH="0")

    assert (found["is_patched"], found["variable"]) == (False, "0")


def test_uninstalled_it_leaves_locust_as_it_is():
    found = report("unpatched.uninstall(); unpatched.uninstall()")

    assert (found["is_patched"], found["finders"]) == (True, 0)


@pytest.mark.parametrize("name", ["json", "locustio", "locust.user", "no_such_module"])
def test_only_locust_is_found(name):
    assert unpatched._LocustFinder().find_spec(name, None) is None
