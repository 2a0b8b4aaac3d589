"""A block of rows as it is sent to ClickHouse, and the digest that stands for its content."""

import hashlib
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from clickhouse_connect.driver.query import arrow_buffer

_DIGEST_DIGITS = 24


@dataclass(frozen=True)
class Block:
    """Rows of one table, serialized once: the bytes that are hashed are the bytes that are sent.

    digest: 24 hex digits; equal content from the same code gives the same digest. '' for a block without rows.
    """

    table: str
    rows: int
    columns: tuple[str, ...]
    body: Any
    digest: str

    @classmethod
    def of(cls, table: str, rows: pa.Table) -> "Block":
        """Serialize `rows`, whose columns are columns of `table`."""
        if not rows.num_rows:
            return cls(table, 0, tuple(rows.column_names), b"", "")
        columns, body = arrow_buffer(rows.combine_chunks(), "lz4")
        return cls(table, rows.num_rows, tuple(columns), body, _digest(body))


def _digest(body: Any) -> str:
    return hashlib.sha256(memoryview(body)).hexdigest()[:_DIGEST_DIGITS]
