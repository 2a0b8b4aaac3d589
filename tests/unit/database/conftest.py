import pytest
from clickhouse_connect.driver.client import Client


@pytest.fixture
def client(empty_database: Client) -> Client:
    return empty_database
