"""ClickHouse embedded in the test process (chdb), used through the same client class as a server."""

import functools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any
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


# Tests that share what takes seconds: trained models, simulated days, the import of Great Expectations.
_TOGETHER = {
    "tests/unit/classify": "classify",
    "tests/unit/sources": "sources",
    "tests/unit/intake/rules/test_same_rows.py": "great_expectations",
    "tests/unit/quality/test_outcome.py": "great_expectations",
}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `pytest -n`, give a worker all tests of a file, or all that share something, so that it is made once.

    pytest-xdist's own `--dist loadgroup` has no effect with pytest 9.2.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return next((group for path, group in _TOGETHER.items() if file.startswith(path)), file)

    config.option.loadscopereorder = False  # the files with the most tests are not the slowest ones
    return ByFile(config, log)


@pytest.fixture(scope="session")
def engine() -> Iterator[Connect]:
    """A function that opens a client in a database of the engine. A process can hold one engine."""
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
def create_database(engine: Connect) -> Callable[[], Client]:
    """A function that creates an empty database and returns a client in it."""

    def create() -> Client:
        name = f"test_{uuid4().hex[:12]}"
        engine("default").command(f"CREATE DATABASE {name}")
        return engine(name)

    return create


@functools.cache
def _every_statement() -> list[str]:
    return [statement for migration in migrations() for statement in statements(migration.sql)]


@pytest.fixture(scope="session")
def new_database(create_database: Callable[[], Client]) -> Callable[[], Client]:
    """A function that creates a database with every table and no rows, and returns a client in it."""

    def create() -> Client:
        client = create_database()
        for statement in _every_statement():
            client.command(statement)
        return client

    return create


@pytest.fixture
def empty_database(create_database: Callable[[], Client]) -> Iterator[Client]:
    """A client in an empty database, which is dropped after the test."""
    client = create_database()
    yield client
    client.command(f"DROP DATABASE {client.database}")


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
