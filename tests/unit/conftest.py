"""An embedded ClickHouse (chdb, in this process) behind the same client class as a server's."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from uuid import uuid4

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client

from schemas.migrations import migrations, statements

Connect = Callable[[str], Client]

# Tables are hundreds of small files: in memory, where the system has a place for that, tests take half the time.
_MEMORY = Path("/dev/shm")

_FILLED = """
SELECT name, startsWith(name, 'building_') FROM system.tables
WHERE database = currentDatabase() AND (total_rows > 0 OR startsWith(name, 'building_'))"""


@pytest.fixture(scope="session")
def engine() -> Iterator[Connect]:
    """Opens clients in a database of the one engine that a process can hold."""
    clients: list[Client] = []

    def connect(database: str) -> Client:
        clients.append(clickhouse_connect.get_client(interface="chdb", path=path, database=database))
        return clients[-1]

    with TemporaryDirectory(prefix="chdb", dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None) as path:
        connect("default")
        yield connect
        for client in clients:
            client.close()


@pytest.fixture(scope="session")
def new_database(engine: Connect) -> Callable[[], Client]:
    """Makes a database with every table and no rows; a client in it."""

    def make() -> Client:
        name = f"migrated_{uuid4().hex[:12]}"
        engine("default").command(f"CREATE DATABASE {name}")
        client = engine(name)
        for migration in migrations():
            for statement in statements(migration.sql):
                client.command(statement)
        return client

    return make


@pytest.fixture
def empty_database(engine: Connect) -> Iterator[Client]:
    """A client in a database of the test's own."""
    name = f"test_{uuid4().hex[:12]}"
    admin = engine("default")
    admin.command(f"CREATE DATABASE {name}")
    yield engine(name)
    admin.command(f"DROP DATABASE {name}")


@pytest.fixture(scope="session")
def _reused(new_database: Callable[[], Client]) -> Client:
    return new_database()


@pytest.fixture
def migrated_database(_reused: Client) -> Iterator[Client]:
    """A client in a database with every table and no rows; emptied after each test."""
    yield _reused
    for name, private in _reused.query(_FILLED).result_rows:
        _reused.command(f"{'DROP' if private else 'TRUNCATE'} TABLE {name}")


@pytest.fixture(scope="session")
def great_expectations() -> ModuleType:
    """The package, imported; seconds, so only by tests that need it."""
    from pipelines.quality.gx_import import great_expectations as package

    return package
