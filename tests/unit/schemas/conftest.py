"""An embedded ClickHouse (chdb, in this process) behind the same client class as a server's."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder with real data; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("GRIDSTREAM_DATA", Path(__file__).parents[4] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}: set GRIDSTREAM_DATA")
    return folder


@pytest.fixture(scope="package")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Client]]:
    """Opens clients of one embedded engine; closed after the package, for a process holds one engine."""
    path = tmp_path_factory.mktemp("chdb")
    clients: list[Client] = []

    def open_client(database: str = "default") -> Client:
        client = clickhouse_connect.get_client(interface="chdb", path=str(path), database=database)
        clients.append(client)
        return client

    open_client()
    yield open_client
    for client in clients:
        client.close()


@pytest.fixture
def client(engine: Callable[[str], Client]) -> Iterator[Client]:
    """A client in an empty database of its own."""
    database = f"test_{uuid4().hex[:12]}"
    admin = engine("default")
    admin.command(f"CREATE DATABASE {database}")
    yield engine(database)
    admin.command(f"DROP DATABASE {database}")
