"""Who the servers run as."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tailgate.stack import Nginx, Postgres, Process, Sandbox, http_answers

ROOT = Path(__file__).parents[2]
SERVICE = Path(__file__).with_name("small_service.py")
NOBODY = 65534

SCRIPT = f"""
import json, os, sys
import psutil
from tailgate.stack import Nginx, Postgres, Process, Sandbox, Stack, http_answers

with Sandbox() as box:
    port = box.port()
    argv = [sys.executable, {str(SERVICE)!r}, "shop", str(port), str(box.directory / "notes")]
    shop = Process(box, "shop", argv, port=port, ready=http_answers(f"http://127.0.0.1:{{port}}/")).start()
    nginx = Nginx(box, [shop]).start()
    stack = Stack(url=nginx.url, services={{"shop": shop}}, postgres=Postgres(box).start(), nginx=nginx)
    stack.wait_ready()
    nginx.access_log_position()
    print(json.dumps({{name: psutil.Process(process.pid).uids().real for name, process in stack.processes.items()}}))
print(box.directory.exists())
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="is about root")
def test_under_root_the_servers_run_as_nobody_and_the_services_as_root():
    with Sandbox() as sandbox:
        port = sandbox.port()
        argv = [sys.executable, str(SERVICE), "shop", str(port), str(sandbox.directory / "notes")]
        shop = Process(sandbox, "shop", argv, port=port, ready=http_answers(f"http://127.0.0.1:{port}/")).start()
        servers = [Postgres(sandbox).start(), Nginx(sandbox, [shop]).start()]
        for process in (shop, *servers):
            process.wait_ready()
        for server in servers:
            leader = psutil.Process(server.pid)
            family = [leader, *leader.children(recursive=True)]
            assert {process.username() for process in family} == {"nobody"}
        assert psutil.Process(shop.pid).uids().real == 0


def test_the_whole_stack_runs_for_somebody_who_is_not_root(tmp_path):
    if os.geteuid() != 0:
        python, account = sys.executable, {}
    else:
        python, account = python_for_nobody(), {"user": NOBODY, "group": NOBODY, "extra_groups": ()}
    command = [python, "-B", "-c", SCRIPT]
    done = subprocess.run(
        command, env=environment(), cwd="/", capture_output=True, text=True, timeout=120, check=False, **account
    )
    assert done.returncode == 0, done.stderr
    users, is_left = done.stdout.splitlines()
    expected = NOBODY if account else os.getuid()
    assert json.loads(users) == {"postgres": expected, "shop": expected, "nginx": expected}
    assert is_left == "False"


def environment() -> dict[str, str]:
    packages = Path(psutil.__file__).parents[1]
    return {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(packages)])}


def python_for_nobody() -> str:
    """Return a Python that the account can start, with what the stack imports; skip where there is none."""
    for python in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        # The shell is there for everybody; a Python below a private folder cannot even be started.
        script = f"exec {python} -B -c 'import sys, psutil, tailgate.stack; assert sys.version_info >= (3, 11)'"
        account = {"user": NOBODY, "group": NOBODY, "extra_groups": ()}
        command = ["/bin/sh", "-c", script]
        done = subprocess.run(
            command, env=environment(), cwd="/", capture_output=True, timeout=60, check=False, **account
        )
        if done.returncode == 0:
            return python
    pytest.skip("no Python that nobody can start: they are below a private home directory")
