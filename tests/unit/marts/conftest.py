"""An in-process ClickHouse (chdb) behind the same client class that talks to a server."""

import uuid
from collections.abc import Iterator

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client

from schemas.migrations import migrations, statements


@pytest.fixture(scope="module")
def engine() -> Iterator[Client]:
    """Closed after each module, since a process holds one engine and other packages open theirs."""
    client = clickhouse_connect.get_client(interface="chdb")
    yield client
    client.close()


@pytest.fixture
def client(engine: Client) -> Iterator[Client]:
    """A fresh, migrated database, current for this client."""
    name = f"marts_{uuid.uuid4().hex[:12]}"
    engine.command(f"CREATE DATABASE {name}")
    engine.database = name
    for migration in migrations():
        for statement in statements(migration.sql):
            engine.command(statement)
    yield engine
    engine.database = "default"
    engine.command(f"DROP DATABASE {name}")
