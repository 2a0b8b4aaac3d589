"""Builds a partition of a table in a private table and swaps it in as a whole.

Readers see the old partition or the new one, never a mixture. A crash leaves only a private table, which the next
build of the partition, or `sweep`, drops.

Two builds of the same partition at once must not end with the older data in place. Before it reads, a build therefore
creates its private table, drops the tables of earlier builds, and gives up if it sees the table of a later build.
However the two interleave, either only one of them still has a table to swap in, or one of them read after the other
had finished. A process that was suspended and resumes late does not find its table.
"""

import secrets
from dataclasses import dataclass, field
from datetime import date, timedelta
from types import TracebackType
from typing import Any, Self

from clickhouse_connect.driver.binding import quote_identifier
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from pipelines.errors import GridstreamError

_PREFIX = "building_"
_STAMP_DIGITS = 20  # microseconds since 1970, so that names sort by age

_SIBLINGS = """
SELECT name FROM system.tables
WHERE database = currentDatabase() AND startsWith(name, {prefix:String}) ORDER BY name"""
_FROM_EMPTY = "allow_replace_partition_from_empty_source"
_CLOCK = "SELECT toUnixTimestamp64Micro(now64(6))"

Partition = date | tuple[str, date]


class Superseded(GridstreamError):
    """A later build of the same partition has taken over; the result of this build is dropped."""


@dataclass
class Swap:
    """A context manager: `fill` the private table, then `commit`. The table is dropped at the end."""

    client: Client
    table: str
    partition: Partition
    name: str = field(init=False, default="")

    def __enter__(self) -> Self:
        prefix = f"{_PREFIX}{self.table}_{_slug(self.partition)}_"
        stamp = int(self.client.query(_CLOCK).result_rows[0][0])
        self.name = f"{prefix}{stamp:0{_STAMP_DIGITS}}_{secrets.token_hex(4)}"
        make = f"CREATE TABLE {{build:Identifier}} AS {quote_identifier(self.table)}"
        self.client.command(make, {"build": self.name})
        try:
            self._fence(prefix)
        except BaseException:
            _drop(self.client, self.name)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, DatabaseError) and not self._exists():
            raise Superseded(f"{self.table} {self.partition}: a later build has taken over") from error
        _drop(self.client, self.name)

    def fill(self, select: str, parameters: dict[str, Any]) -> int:
        """Inserts the rows of `select` (columns in the order of the table); returns the number of rows in the table."""
        self.client.command(f"INSERT INTO {{build:Identifier}} {select}", parameters | {"build": self.name})
        return int(self.client.query("SELECT count() FROM {build:Identifier}", {"build": self.name}).result_rows[0][0])

    def commit(self) -> None:
        """Replaces the partition by the private rows in one step; without rows the partition is removed."""
        kind = "Date" if isinstance(self.partition, date) else "Tuple(String, Date)"
        target, build = quote_identifier(self.table), quote_identifier(self.name)
        replace = f"ALTER TABLE {target} REPLACE PARTITION {{partition:{kind}}} FROM {build}"
        # Servers without this setting always allow it.
        allowed = f" SETTINGS {_FROM_EMPTY} = 1" if _FROM_EMPTY in self.client.server_settings else ""
        self.client.command(replace + allowed, {"partition": self.partition})

    def _fence(self, prefix: str) -> None:
        for (name,) in self.client.query(_SIBLINGS, {"prefix": prefix}).result_rows:
            if name > self.name:
                raise Superseded(f"{self.table} {self.partition}: a later build is under way")
            if name < self.name:
                _drop(self.client, name)

    def _exists(self) -> bool:
        return bool(int(self.client.command("EXISTS TABLE {build:Identifier}", {"build": self.name})))  # type: ignore[arg-type]


def sweep(client: Client, older_than: timedelta = timedelta(hours=1)) -> list[str]:
    """Drops private tables of builds that began longer ago and never ended; returns their names."""
    server_time = int(client.query(_CLOCK).result_rows[0][0])
    oldest = server_time - int(older_than.total_seconds() * 1e6)
    names = [name for (name,) in client.query(_SIBLINGS, {"prefix": _PREFIX}).result_rows]
    abandoned = [name for name in names if int(name.split("_")[-2]) < oldest]
    for name in abandoned:
        _drop(client, name)
    return abandoned


def _drop(client: Client, name: str) -> None:
    client.command("DROP TABLE IF EXISTS {build:Identifier}", {"build": name})


def _slug(partition: Partition) -> str:
    parts = (partition,) if isinstance(partition, date) else partition
    return "_".join(part.strftime("%Y%m%d") if isinstance(part, date) else part for part in parts)
