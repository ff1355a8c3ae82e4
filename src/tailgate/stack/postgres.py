"""A throw-away PostgreSQL: fast because nothing of it has to survive."""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Mapping
from pathlib import Path

from tailgate.stack.accounts import Account, reachable
from tailgate.stack.probes import postgres_answers
from tailgate.stack.process import Process
from tailgate.stack.sandbox import Sandbox
from tailgate.stack.wheels import postgres_installation

USER = DATABASE = "postgres"

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # their paths may be 107 bytes long at most, a temporary directory's is not ours
    "max_connections": "100",
    "shared_buffers": "32MB",
    # Nothing has to survive a crash of the machine; a killed server still recovers.
    "fsync": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_size": "256MB",
    "max_wal_senders": "0",
    # Dynamic shared memory as files of the data directory: a SIGKILL leaves nothing in /dev/shm.
    "dynamic_shared_memory_type": "mmap",
}

# One process that becomes the server, so that making the cluster takes nobody else's time. The rename makes a cluster
# complete or absent, also when a first start was killed in the middle; of that, the setting keeps (all but a moment's)
# shared memory out of /dev/shm, as `SETTINGS` does for the server.
_SCRIPT = """
set -e
bin=$1 home=$2
shift 2
if [ ! -d "$home/data" ]; then
    rm -rf "$home/new"
    "$bin/initdb" --pgdata="$home/new" --username=postgres --pwfile="$home/password" --auth=password \\
        --encoding=UTF8 --no-locale --no-sync --wal-segsize=1 --no-instructions --set scram_iterations=1 \\
        --set dynamic_shared_memory_type=mmap
    mv "$home/new" "$home/data"
fi
exec "$bin/postgres" -D "$home/data" "$@"
"""


class Postgres(Process):
    """PostgreSQL on a port of 127.0.0.1, in a data directory that vanishes with the sandbox.

    It refuses to run as root; then it runs as `nobody`, from a copy of the program if that account cannot reach it.
    A random password keeps other users of the machine out: a superuser of PostgreSQL can run programs.

    Args:
        sandbox: Where it lives.
        name: Unique in its sandbox.
        settings: More of ``postgresql.conf``, by name; they win over `SETTINGS`.

    Attributes:
        dsn: ``postgresql://USER:PASSWORD@HOST:PORT/DATABASE`` of a superuser.
    """

    def __init__(self, sandbox: Sandbox, name: str = "postgres", *, settings: Mapping[str, str] | None = None) -> None:
        port = sandbox.port()
        password = secrets.token_hex(16)
        home = sandbox.folder(name, account=sandbox.account, prefers_memory=True)
        _write_secret(home / "password", password, sandbox.account)
        options = {**SETTINGS, **(settings or {}), "port": str(port)}
        super().__init__(
            sandbox,
            name,
            [
                *("/bin/sh", "-c", _SCRIPT, "sh", str(_programs(sandbox, name)), str(home)),
                *(part for key, value in options.items() for part in ("-c", f"{key}={value}")),
            ],
            env={"LC_ALL": "C", "TZ": "UTC"},
            port=port,
            ready=postgres_answers("127.0.0.1", port, user=USER, password=password, database=DATABASE),
            stop_signal=signal.SIGINT,  # "fast": does not wait for clients to leave
            account=sandbox.account,
        )
        self.dsn = f"postgresql://{USER}:{password}@{self.address}/{DATABASE}"


def _programs(sandbox: Sandbox, name: str) -> Path:
    """Return PostgreSQL's ``bin`` folder, where the account that runs it can reach it."""
    installation = postgres_installation()
    package = installation.parent
    # The wheel keeps shared libraries beside the package, and the programs find them relative to themselves.
    libraries = f"{package.name}.libs"
    parts = [f"{package.name}/{installation.name}/{part}" for part in ("bin/postgres", "bin/initdb", "lib", "share")]
    if (package.parent / libraries).is_dir():
        parts.append(libraries)
    base = reachable(package.parent, parts, account=sandbox.account, copy_to=sandbox.directory / f"{name}-programs")
    return base / package.name / installation.name / "bin"


def _write_secret(path: Path, text: str, account: Account | None) -> None:
    """Write a file that only its owner can read, from its first moment on."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    if account is not None:
        os.chown(path, account.uid, account.gid)
