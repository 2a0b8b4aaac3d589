"""Rights name what is there: a grant on a misspelt view would be noticed by an analyst first."""

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
    client.command("CREATE TABLE migrations (number UInt16) ENGINE = Memory")  # which `gridstream migrate` makes first
    return {table: set(names) for table, names in client.query(query).result_rows}


@pytest.mark.parametrize("user", ["analyst", "board"])
def test_every_right_to_read_names_something(user: str, columns: dict[str, set[str]]) -> None:
    rights = [right for right in map(SELECT.fullmatch, grants(user, "there")) if right]
    assert len(rights) > 5
    for right in rights:
        tables = [table for table in columns if fnmatch(table, right["table"])]
        assert tables, right[0]
        assert set((right["columns"] or "").split(", ")) - {""} <= columns[tables[0]], right[0]


def test_analysts_read_what_waits_for_review_and_the_board_does_not() -> None:
    assert "GRANT SELECT ON there.review_queue" in grants("analyst", "there")
    assert not any("review_queue" in right or "reports" in right for right in grants("board", "there"))
