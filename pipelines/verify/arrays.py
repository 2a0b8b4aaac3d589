"""Reads query results as numpy columns or rows, for all checks."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.external import ExternalData

Ints = npt.NDArray[np.int64]

_SETTINGS = {
    # Large groupings go to disk instead of failing on the server's memory limit.
    "max_bytes_before_external_group_by": 1_000_000_000,
    "max_bytes_before_external_sort": 1_000_000_000,
    # sum(rows) AS rows means the column, as in standard SQL.
    "prefer_column_name_to_alias": 1,
}


def columns(
    client: Client, sql: str, parameters: Mapping[str, Any], external: ExternalData | None = None
) -> dict[str, Any]:
    """The result's columns by name as numpy arrays. external: a table sent with the query."""
    table = client.query_arrow(sql, dict(parameters), settings=_SETTINGS, external_data=external)
    return {name: table[name].to_numpy() for name in table.column_names}


def ints(values: Any) -> Ints:
    """Any number column as int64 (offsets never reach 2^63)."""
    return np.asarray(values).astype(np.int64)


def dicts(client: Client, sql: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A small result as one dict per row."""
    result = client.query(sql, dict(parameters), settings=_SETTINGS)
    return [dict(zip(result.column_names, row, strict=True)) for row in result.result_rows]


def figures(client: Client, sql: str, parameters: Mapping[str, Any]) -> dict[str, int]:
    """The integers of a result with one row, by column name."""
    return {name: int(value) for name, value in dicts(client, sql, parameters)[0].items()}
