"""Start, end and trouble of the product service: settings, a database that is late or gone, signals."""

import asyncio
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import asyncpg
import pytest

from product_service.faults import Faults
from product_service.settings import FAULTS, SETTINGS, BadSettings, Settings, read_settings
from tailgate.stack import Postgres
from tests.acceptance.service_shop import connected, query, run_to_end, wait_until

pytest_plugins = ["tests.acceptance.service_fixtures"]

URL = "postgresql://shop:secret@127.0.0.1:5432/shop"


def read(**settings):
    return read_settings({f"PRODUCT_SERVICE_{name}": value for name, value in settings.items()} | {"PATH": "/bin"})


def test_only_the_database_must_be_named():
    assert read(DATABASE_URL=URL) == Settings(
        database_url=URL, host="127.0.0.1", port=8000, instance="product-service", pool_size=8, faults=Faults()
    )


def test_every_setting_can_be_given():
    settings = read(
        DATABASE_URL=URL, HOST="::1", PORT="0", INSTANCE="product-2", POOL_SIZE="3", ACQUIRE_TIMEOUT_S="0.5",
        DATABASE_WAIT_S="7", DELAY_MS="1.5", CPU_MS="2", ERROR_RATIO="0.05", STALL_EVERY_S="10", STALL_S="3",
    )  # fmt: skip
    faults = Faults(delay_ms=1.5, cpu_ms=2, error_ratio=0.05, stall_every_s=10, stall_s=3)
    assert settings == Settings(
        database_url=URL, host="::1", port=0, instance="product-2", pool_size=3, acquire_timeout_s=0.5,
        database_wait_s=7, faults=faults,
    )  # fmt: skip


def test_an_empty_variable_counts_as_absent():
    assert read(DATABASE_URL=URL, DELAY_MS="", PORT="") == read(DATABASE_URL=URL)


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("PORT", "http", "wanted a whole number from 0 to 65535"),
        ("PORT", "65536", "wanted a whole number from 0 to 65535"),
        ("PORT", "-1", "wanted a whole number from 0 to 65535"),
        ("PORT", "80.0", "wanted a whole number from 0 to 65535"),
        ("POOL_SIZE", "0", "wanted a whole number from 1 to 1000"),
        ("DELAY_MS", "fast", "wanted a number of 0 or more"),
        ("DELAY_MS", "-1", "wanted a number of 0 or more"),
        ("CPU_MS", "inf", "wanted a number of 0 or more"),
        ("ERROR_RATIO", "nan", "wanted a number from 0 to 1"),
        ("ERROR_RATIO", "5", "wanted a number from 0 to 1"),
        ("ACQUIRE_TIMEOUT_S", "0", "wanted a number of 0.001 or more"),
        ("INSTANCE", "eins\nzwei", "wanted printable ASCII, since it is sent in a header"),
    ],
)
def test_an_unusable_value_is_named_with_what_was_wanted(name, text, wanted):
    with pytest.raises(BadSettings) as caught:
        read(DATABASE_URL=URL, **{name: text})
    assert caught.value.problems == (f"PRODUCT_SERVICE_{name}: {text!r} is unusable, {wanted}",)


@pytest.mark.parametrize("url", ["mysql://127.0.0.1/shop", "shop", "postgresql://127.0.0.1:port/shop"])
def test_an_unusable_database_url_is_refused_without_showing_it(url):
    with pytest.raises(BadSettings) as caught:
        read(DATABASE_URL=url)
    (problem,) = caught.value.problems
    assert problem == (
        "PRODUCT_SERVICE_DATABASE_URL: its value is unusable, "
        "wanted a URL such as postgresql://user@127.0.0.1:5432/postgres"
    )


@pytest.mark.parametrize("half", [{"STALL_S": "1"}, {"STALL_EVERY_S": "1"}, {"STALL_S": "0", "STALL_EVERY_S": "2"}])
def test_half_a_stall_is_refused(half):
    with pytest.raises(BadSettings, match="STALL_EVERY_S and PRODUCT_SERVICE_STALL_S: one of them does nothing"):
        read(DATABASE_URL=URL, **half)


def test_where_clients_find_the_service_is_none_of_its_business():
    assert read(DATABASE_URL=URL, URL="http://localhost:8082") == read(DATABASE_URL=URL)


def test_a_start_with_bad_settings_says_everything_in_one_message():
    ended = run_to_end(PORT="x", DELAY="5", ERROR_RATIO="2")
    assert ended.returncode == 2
    first, *rest = ended.stderr.splitlines()
    assert first == "product_service cannot start:"
    assert rest == [
        "  PRODUCT_SERVICE_PORT: 'x' is unusable, wanted a whole number from 0 to 65535",
        "  PRODUCT_SERVICE_ERROR_RATIO: '2' is unusable, wanted a number from 0 to 1",
        "  PRODUCT_SERVICE_DATABASE_URL: not set, wanted a URL such as postgresql://user@127.0.0.1:5432/postgres",
        f"  PRODUCT_SERVICE_DELAY: no such setting, known are {', '.join([*SETTINGS, *FAULTS])}",
    ]


def test_a_start_without_a_database_ends_with_a_message_that_hides_the_password():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound but not listening: refuses
        port = unused.getsockname()[1]
        ended = run_to_end(DATABASE_URL=f"postgresql://shop:secret@127.0.0.1:{port}/shop", DATABASE_WAIT_S=0.2)
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"no usable database at 127.0.0.1:{port}/shop after 0.")
    assert "secret" not in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_a_start_with_a_database_that_lacks_ends_with_a_message(shop):
    ended = run_to_end(DATABASE_URL=shop.database_url("nothing"), DATABASE_WAIT_S=0.2)
    assert ended.returncode == 2
    assert 'database "nothing" does not exist' in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_a_port_in_use_ends_the_start_without_a_traceback(shop):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ended = run_to_end(DATABASE_URL=shop.new_database(), PORT=taken.getsockname()[1])
    assert ended.returncode != 0
    assert "address already in use" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_instance_waits_for_a_late_database_and_outlives_its_restart(shop):
    late = Postgres(shop.sandbox, "late")
    with shop.new_process("early", DATABASE_URL=late.dsn, ACQUIRE_TIMEOUT_S=1) as process, late:
        process.wait_ready()
        with connected(process) as service:
            assert service.buy("Laptop", 1).status_code == 200
            late.stop()
            answers = [service.get("/health"), service.get("/products"), service.buy("Laptop", 1)]
            assert [answer.status_code for answer in answers] == [503] * 3
            assert all(answer.json()["detail"].startswith("the database did not answer: ") for answer in answers)
            late.start()
            process.wait_ready()
            assert service.buy("Laptop", 1).json()["stock"] == 99_998
    assert "Exception in ASGI application" not in process.log.read_text()


@contextmanager
def locked(database, name):
    """Hold the row lock of a product, so that its buyers wait."""
    with asyncio.Runner() as runner:
        connection = runner.run(asyncpg.connect(database))
        transaction = connection.transaction()
        runner.run(transaction.start())
        runner.run(connection.fetch("SELECT FROM products WHERE name = $1 FOR UPDATE", name))
        try:
            yield lambda: runner.run(transaction.rollback())
        finally:
            runner.run(connection.close())


def wait_for_blocked_buyer(database):
    wait_until(
        lambda: query(
            database, "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
    )


def test_no_free_connection_in_time_is_503_and_the_purchase_that_held_it_goes_on(shop):
    database = shop.new_database()
    with (
        shop.running(database, "product-1", POOL_SIZE=1, ACQUIRE_TIMEOUT_S=0.2) as (service,),
        ThreadPoolExecutor(1) as pool,
        locked(database, "Laptop") as release,
    ):
        buyer = pool.submit(service.buy, "Laptop", 1)
        wait_for_blocked_buyer(database)
        answer = service.get("/products")
        assert (answer.status_code, answer.json()["detail"]) == (503, "the database did not answer: TimeoutError")
        release()
        assert buyer.result().status_code == 200
        assert service.get("/products").status_code == 200


def test_sigterm_finishes_the_request_in_flight(shop):
    database = shop.new_database()
    with (
        shop.running(database, "product-1") as (service,),
        ThreadPoolExecutor(1) as pool,
        locked(database, "Laptop") as release,
    ):
        buyer = pool.submit(service.buy, "Laptop", 1)
        wait_for_blocked_buyer(database)
        service.process.send_signal(signal.SIGTERM)
        wait_until(lambda: "Waiting for connections to close" in service.process.log.read_text())
        release()
        assert buyer.result().status_code == 200
        wait_until(lambda: not service.process.is_running)
        assert service.process.exit_code == -signal.SIGTERM
        assert query(database, "SELECT stock FROM products WHERE name = 'Laptop'") == [(99_999,)]
        assert "Traceback" not in service.process.log.read_text()
        wait_until(lambda: not query(database, "SELECT FROM pg_stat_activity WHERE application_name = 'product-1'"))
