"""Real instances of the product service over a throw-away PostgreSQL, for the acceptance tests."""

from __future__ import annotations

import asyncio
import itertools
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx

from product_service.settings import FAULTS, PREFIX, SETTINGS
from tailgate.stack import Postgres, Process, Sandbox, http_answers, wait_all_ready

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "product_service"]
WITHIN_S = 30

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Service:
    """One running instance."""

    process: Process
    client: httpx.Client

    def get(self, path: str, **options) -> httpx.Response:
        return self.client.get(path, **options)

    def buy(self, name: str, quantity: object, key: str | None = None) -> httpx.Response:
        headers = {} if key is None else {"Idempotency-Key": key}
        return self.client.post("/products/buy", json={"name": name, "quantity": quantity}, headers=headers)

    def put_stock(self, **change) -> httpx.Response:
        return self.client.put("/products/stock", json=change)

    def stock_of(self, name: str) -> int:
        return self.client.post("/products/details", json={"name": name}).json()["stock"]

    def counted(self) -> dict[str, int]:
        return self.get("/internal/requests").json()["requests"]


@dataclass(frozen=True)
class Shop:
    """Where instances and databases come from."""

    sandbox: Sandbox
    postgres: Postgres

    def new_database(self) -> str:
        """Create an empty database and return its URL."""
        name = f"shop{next(_numbers)}"
        query(self.postgres.dsn, f"CREATE DATABASE {name}")
        return self.database_url(name)

    def database_url(self, name: str) -> str:
        return self.postgres.dsn.rpartition("/")[0] + f"/{name}"

    def new_process(self, instance: str, **settings: object) -> Process:
        """Make an instance that is not started yet."""
        port = self.sandbox.port()
        return Process(
            self.sandbox,
            f"{instance}.{next(_numbers)}",
            COMMAND,
            env=service_environ(HOST="127.0.0.1", PORT=port, INSTANCE=instance, **settings),
            port=port,
            ready=http_answers(f"http://127.0.0.1:{port}/health"),
        )

    @contextmanager
    def running(self, database: str, *instances: str, **settings: object) -> Iterator[list[Service]]:
        """Start instances at the same time, and wait until all are healthy."""
        with ExitStack() as stack:
            processes = [self.new_process(instance, DATABASE_URL=database, **settings) for instance in instances]
            for process in processes:
                stack.enter_context(process)
            wait_all_ready(processes)
            yield [stack.enter_context(connected(process)) for process in processes]


@contextmanager
def connected(process: Process) -> Iterator[Service]:
    """Make a client for a running instance."""
    limits = httpx.Limits(max_connections=200, max_keepalive_connections=200)
    with httpx.Client(base_url=f"http://{process.address}", timeout=30, trust_env=False, limits=limits) as client:
        yield Service(process, client)


def service_environ(**settings: object) -> dict[str, str]:
    """Return variables that give an instance these settings and, whatever the environment says, no others."""
    empty = dict.fromkeys([*SETTINGS, *FAULTS], "")
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {"PYTHONPATH": path} | {f"{PREFIX}{name}": str(value) for name, value in (empty | settings).items()}


def run_to_end(**settings: object) -> subprocess.CompletedProcess:
    """Start an instance that is to end by itself."""
    environ = os.environ | service_environ(**settings)
    return subprocess.run(COMMAND, env=environ, capture_output=True, text=True, timeout=WITHIN_S, check=False)


def wait_until(condition: Callable[[], object]) -> None:
    """Call ``condition`` until it returns something true."""
    deadline_s = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < deadline_s, f"not within {WITHIN_S} s"
        time.sleep(0.01)


def query(url: str, sql: str, *values: object) -> list[asyncpg.Record]:
    """Run one statement on a connection of its own."""

    async def run() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetch(sql, *values)
        finally:
            await connection.close()

    return asyncio.run(run())
