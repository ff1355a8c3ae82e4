"""Everything that is asked of the database; no other module knows SQL.

The answers are JSON texts made by PostgreSQL: prices stay exact and keep their two decimals, and a catalogue of a
hundred products costs this process next to nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from product_service.settings import Settings
from product_service.timing import add_database_time

SCHEMA = Path(__file__).with_name("schema.sql")
SCHEMA_LOCK = 0x7461_696C
"""Advisory lock under which the schema is made; any number that nobody else uses."""

CONNECT_PAUSE_S = 0.05
COMMAND_TIMEOUT_S = 10.0
"""A statement that takes longer (a lock that is never released) is cancelled."""
CLOSE_TIMEOUT_S = 2.0

UNAVAILABLE = (
    OSError,  # refused, reset, and every time limit
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # shutting down, crashed, still starting
    asyncpg.TooManyConnectionsError,
    asyncpg.InterfaceError,  # the connection or the pool was closed in the meantime
)

MAY_COME_RIGHT = (*UNAVAILABLE, asyncpg.InvalidCatalogNameError)
"""At the start: whoever starts the server may create the database only then."""

CATALOGUE = """
SELECT json_build_object('data', coalesce(json_agg(found), '[]'))::text
FROM (
    SELECT product_id AS "productID", name, category, price, stock
    FROM products
    WHERE $1::text IS NULL OR category = $1
    ORDER BY product_id
) AS found
"""

PRODUCT = """
SELECT row_to_json(found)::text
FROM (SELECT product_id AS "productID", name, category, price, stock FROM products WHERE product_id = $1) AS found
"""

DETAILS = """
SELECT row_to_json(found)::text
FROM (SELECT product_id AS "productID", name, price, stock FROM products WHERE name = $1) AS found
"""

RECEIPT = """
json_build_object(
    'purchaseID', entry_id, 'productID', product_id, 'name', name, 'quantity', quantity,
    'unitPrice', unit_price, 'total', quantity * unit_price, 'stock', stock_after
)::text
"""

# One statement, hence one transaction: the row lock of the UPDATE puts concurrent buyers in a line, each sees the
# stock that the one before left, and the ledger row stands or falls with the change.
BUY = f"""
WITH bought AS (
    UPDATE products SET stock = stock - $2::bigint
    WHERE name = $1 AND stock >= $2::bigint
        AND NOT EXISTS (SELECT FROM ledger WHERE idempotency_key = $3)
    RETURNING product_id, name, price, stock
), entry AS (
    INSERT INTO ledger (product_id, kind, change, quantity, unit_price, stock_after, idempotency_key)
    SELECT product_id, 'purchase', -$2::bigint, $2::bigint, price, stock, $3 FROM bought
    RETURNING *
)
SELECT {RECEIPT} FROM entry JOIN bought USING (product_id)
"""  # noqa: S608 - made of constants

EARLIER = f"""
SELECT name, quantity, {RECEIPT} AS receipt FROM ledger JOIN products USING (product_id) WHERE idempotency_key = $1
"""  # noqa: S608 - made of constants

MOVE_STOCK = """
WITH moved AS (
    UPDATE products SET stock = stock + $2::bigint
    WHERE name = $1 AND stock + $2::bigint >= 0
    RETURNING product_id, name, stock
), entry AS (
    INSERT INTO ledger (product_id, kind, change, stock_after)
    SELECT product_id, 'adjustment', $2::bigint, stock FROM moved
)
SELECT json_build_object('productID', product_id, 'name', name, 'change', $2::bigint, 'stock', stock)::text FROM moved
"""

STOCK = "SELECT stock FROM products WHERE name = $1"


class StoreError(Exception):
    """What was asked cannot be done; the text says why."""


class DatabaseUnavailable(StoreError):
    """The database did not answer, or no connection to it was free in time."""


class UnknownProduct(StoreError):
    """There is no such product."""


class NotEnoughStock(StoreError):
    """The stock would fall below zero."""


class KeyReused(StoreError):
    """The idempotency key belongs to a different purchase."""


class Store:
    """The products and their ledger.

    Every method raises ``DatabaseUnavailable`` when there is no answer. What happened to a change is then
    unknown: the ledger knows.
    """

    def __init__(self, pool: asyncpg.Pool, *, acquire_timeout_s: float) -> None:
        self._pool = pool
        self._acquire_timeout_s = acquire_timeout_s

    async def close(self) -> None:
        """Close every connection, by force when the database does not answer."""
        try:
            await asyncio.wait_for(self._pool.close(), CLOSE_TIMEOUT_S)
        except UNAVAILABLE:
            self._pool.terminate()

    async def check(self) -> None:
        """Have the database answer."""
        async with self._connection() as connection:
            await connection.fetchval("SELECT 1", timeout=self._acquire_timeout_s)

    async def catalogue(self, category: str | None) -> str:
        """Return the products of a category, or all, as ``{"data": [...]}``."""
        async with self._connection() as connection:
            found: str = await connection.fetchval(CATALOGUE, category)
        return found

    async def product(self, product_id: int) -> str:
        """Return one product.

        Raises:
            UnknownProduct: There is none with this number.
        """
        async with self._connection() as connection:
            found: str | None = await connection.fetchval(PRODUCT, product_id)
        if found is None:
            raise UnknownProduct(f"no product has the number {product_id}")
        return found

    async def details(self, name: str) -> str:
        """Return what a shopper sees of one product.

        Raises:
            UnknownProduct: There is none with this name.
        """
        async with self._connection() as connection:
            found: str | None = await connection.fetchval(DETAILS, name)
        if found is None:
            raise UnknownProduct(f"no product is called {name!r}")
        return found

    async def buy(self, name: str, quantity: int, key: str | None) -> str:
        """Sell ``quantity`` units, or return the receipt of the purchase that was made with the same key.

        Raises:
            UnknownProduct: There is none with this name.
            NotEnoughStock: Fewer units are left; the key is as good as new.
            KeyReused: The key was used for another name or quantity.
        """
        async with self._connection() as connection:
            try:
                receipt: str | None = await connection.fetchval(BUY, name, quantity, key)
            except asyncpg.UniqueViolationError:
                # The same key at the same time: the other one won, and this statement was undone as a whole.
                receipt = None
            if receipt is not None:
                return receipt
            earlier = await connection.fetchrow(EARLIER, key) if key is not None else None
            if earlier is None:
                raise await _refusal(connection, name, f"{quantity} wanted")
        if (earlier["name"], earlier["quantity"]) != (name, quantity):
            raise KeyReused(f"the idempotency key was used to buy {earlier['quantity']} of {earlier['name']!r}")
        return str(earlier["receipt"])

    async def move_stock(self, name: str, delta: int) -> str:
        """Add ``delta`` units, which may be negative.

        Raises:
            UnknownProduct: There is none with this name.
            NotEnoughStock: The stock would fall below zero.
        """
        async with self._connection() as connection:
            return await _move_stock(connection, name, delta)

    async def set_stock(self, name: str, stock: int) -> str:
        """Make the stock ``stock`` units.

        Raises:
            UnknownProduct: There is none with this name.
        """
        async with self._connection() as connection, connection.transaction():
            # The lock keeps the difference true until it is applied.
            before = await connection.fetchval(STOCK + " FOR UPDATE", name)
            if before is None:
                raise UnknownProduct(f"no product is called {name!r}")
            return await _move_stock(connection, name, stock - before)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        began_s = time.perf_counter()
        try:
            async with self._pool.acquire(timeout=self._acquire_timeout_s) as connection:
                yield connection
        except UNAVAILABLE as error:
            raise DatabaseUnavailable(f"the database did not answer: {_render(error)}") from error
        finally:
            # The wait for a free connection is part of it: a slow database is why there is none.
            add_database_time(time.perf_counter() - began_s)


async def _move_stock(connection: Any, name: str, delta: int) -> str:
    moved: str | None = await connection.fetchval(MOVE_STOCK, name, delta)
    if moved is None:
        raise await _refusal(connection, name, f"{-delta} to be taken away")
    return moved


async def _refusal(connection: Any, name: str, wish: str) -> StoreError:
    left = await connection.fetchval(STOCK, name)
    if left is None:
        return UnknownProduct(f"no product is called {name!r}")
    return NotEnoughStock(f"{left} of {name!r} are left, {wish}")


async def open_store(settings: Settings) -> Store:
    """Wait for the database, make the tables and the seed if they are missing, and open the pool.

    Instances may start at the same time, and before the database: one of them makes everything.

    Raises:
        DatabaseUnavailable: There was no usable database within ``settings.database_wait_s``.
    """
    started_s = time.monotonic()
    while True:
        try:
            return await _open_store(settings)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, ValueError) as error:
            waited_s = time.monotonic() - started_s
            # An unusable URL is an InterfaceError and a ValueError; it stays unusable.
            is_temporary = isinstance(error, MAY_COME_RIGHT) and not isinstance(error, ValueError)
            if not is_temporary or waited_s >= settings.database_wait_s:
                address = _render_address(settings.database_url)
                raise DatabaseUnavailable(
                    f"no usable database at {address} after {waited_s:.1f} s: {_render(error)}"
                ) from error
        await asyncio.sleep(CONNECT_PAUSE_S)


async def _open_store(settings: Settings) -> Store:
    await _make_schema(settings)
    pool = asyncpg.create_pool(
        settings.database_url,
        min_size=settings.pool_size,
        max_size=settings.pool_size,
        timeout=settings.acquire_timeout_s,
        command_timeout=COMMAND_TIMEOUT_S,
        max_inactive_connection_lifetime=0,  # reconnecting would show in the latencies
        reset=_keep_session,
        server_settings={"application_name": settings.instance},
    )
    try:
        await pool
    except BaseException:
        pool.terminate()
        raise
    return Store(pool, acquire_timeout_s=settings.acquire_timeout_s)


async def _make_schema(settings: Settings) -> None:
    connection = await asyncpg.connect(settings.database_url, timeout=settings.acquire_timeout_s)
    try:
        async with connection.transaction():
            await connection.execute(f"SELECT pg_advisory_xact_lock({SCHEMA_LOCK})")
            await connection.execute(SCHEMA.read_text(encoding="utf-8"))
    finally:
        await connection.close()


async def _keep_session(_connection: Any) -> None:
    """Reset nothing when a connection returns: no statement here leaves a trace, and a round trip is saved."""


def _render_address(database_url: str) -> str:
    # Without user and password: this ends in a log.
    parts = urlsplit(database_url)
    return f"{parts.hostname or '(local socket)'}:{parts.port or 5432}{parts.path}"


def _render(error: Exception) -> str:
    return str(error) or type(error).__name__
