import pytest
from clickhouse_connect.driver.client import Client


@pytest.fixture
def client(migrated_database: Client) -> Client:
    return migrated_database
