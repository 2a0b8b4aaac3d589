"""Whether ClickHouse takes a block of rows, without storing it."""

import pyarrow as pa
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from pipelines.load.blocks import Block
from pipelines.services.clickhouse import refuses_value

# The table function `null` converts every value to its column's type, as the table would, and drops the rows.
_TARGET = "FUNCTION null({structure})"
_COLUMNS = """
SELECT name, type FROM system.columns
WHERE database = currentDatabase() AND table = {table:String} AND name IN {names:Array(String)}"""


class ValueRefused(Exception):
    """ClickHouse refuses a value of the rows; the text is what it said."""


def probe(client: Client, table: str, rows: pa.Table) -> None:
    """Send `rows` as they would be inserted into `table`.

    Raises:
        ValueRefused: a value does not fit its column.
        DatabaseError: any other error of ClickHouse.
    """
    types: dict[str, str] = dict(client.query(_COLUMNS, {"table": table, "names": rows.column_names}).result_rows)  # type: ignore[arg-type]
    structure = ", ".join(f"{name} {types[name]}" for name in rows.column_names)
    block = Block.of(table, rows)
    literal = "'" + structure.replace("\\", "\\\\").replace("'", "\\'") + "'"
    try:
        client.raw_insert(_TARGET.format(structure=literal), list(block.columns), block.body, {}, "Arrow")
    except DatabaseError as error:
        if refuses_value(error):
            raise ValueRefused(_cause(error)) from error
        raise


def _cause(error: DatabaseError) -> str:
    """Code and name only: the text repeats the value."""
    return f"ClickHouse {error.code} {error.name}"
