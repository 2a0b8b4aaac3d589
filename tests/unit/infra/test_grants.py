"""Grants name existing tables, views and columns: a misspelt name would only be noticed by an analyst."""

import re
from collections.abc import Callable
from fnmatch import fnmatch

import pytest
from clickhouse_connect.driver.client import Client

from infra.grants import grants

SELECT = re.compile(r"GRANT SELECT(?:\((?P<columns>.*)\))? ON there\.(?P<table>\S+)")


@pytest.fixture(scope="module")
def columns(new_database: Callable[[], Client]) -> dict[str, set[str]]:
    """Columns by table or view."""
    query = "SELECT table, groupUniqArray(name) FROM system.columns WHERE database = currentDatabase() GROUP BY table"
    client = new_database()
    client.command("CREATE TABLE migrations (number UInt16) ENGINE = Memory")  # created by `gridstream migrate`
    return {table: set(names) for table, names in client.query(query).result_rows}


@pytest.mark.parametrize("user", ["analyst", "board"])
def test_every_right_to_read_names_a_table_and_its_columns(user: str, columns: dict[str, set[str]]) -> None:
    rights = [right for right in map(SELECT.fullmatch, grants(user, "there")) if right]
    assert len(rights) > 5
    for right in rights:
        tables = [table for table in columns if fnmatch(table, right["table"])]
        assert tables, right[0]
        assert set((right["columns"] or "").split(", ")) - {""} <= columns[tables[0]], right[0]


def test_the_review_queue_is_for_analysts_and_not_for_the_board() -> None:
    assert "GRANT SELECT ON there.review_queue" in grants("analyst", "there")
    assert not any("review_queue" in right or "reports" in right for right in grants("board", "there"))
