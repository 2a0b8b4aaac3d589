import os
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder with real data; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("GRIDSTREAM_DATA", Path(__file__).parents[4] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}: set GRIDSTREAM_DATA")
    return folder


@pytest.fixture
def client(empty_database: Client) -> Client:
    return empty_database
