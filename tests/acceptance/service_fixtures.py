"""The fixture that all tests of the product service share, to be named in ``pytest_plugins``."""

from collections.abc import Iterator

import pytest

from tailgate.stack import Postgres, Sandbox
from tests.acceptance.service_shop import Shop


@pytest.fixture(scope="session")
def shop() -> Iterator[Shop]:
    """Start one PostgreSQL for all tests of the service; each module takes databases of its own from it."""
    with Sandbox() as sandbox, Postgres(sandbox) as postgres:
        postgres.wait_ready()
        yield Shop(sandbox, postgres)
