"""Fills the dimension tables from the registry and the taxonomy files.

The files are the truth: a changed row is inserted again (the newest wins), a row that left the
files is inserted as deleted, and where nothing changed nothing is inserted.
"""

from dataclasses import dataclass
from typing import Any

import msgspec
from clickhouse_connect.driver.client import Client

from schemas import registry
from schemas.event_types import event_types

_TABLE_EXISTS = "SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = {name:String}"
_ROWS = "SELECT * EXCEPT (loaded_at, is_deleted) FROM {table:Identifier} FINAL"

# Dimension table -> its key; the rows come from `_wanted`.
KEYS = {
    "cities": "city_code",
    "counties": "county_code",
    "towns": "town_code",
    "grids": "grid_code",
    "event_types": "event_type",
}
Row = dict[str, Any]


@dataclass(frozen=True)
class Dimension:
    """What `load_registry` did to a table: rows it holds now, of them inserted anew, and removed."""

    table: str
    rows: int
    inserted: int
    removed: int


def load_registry(client: Client, dry_run: bool = False) -> list[Dimension]:
    """Fills the dimensions from the files; where the content is the same, nothing is inserted."""
    wanted = _wanted()
    return [_synchronize(client, table, wanted[table], dry_run) for table in KEYS]


def _has_table(client: Client, name: str) -> bool:
    return bool(client.query(_TABLE_EXISTS, parameters={"name": name}).result_rows[0][0])


def _wanted() -> dict[str, list[Row]]:
    """The rows of every dimension as the files have them, by column name."""
    plain = msgspec.structs.asdict
    return {
        "cities": [_renamed(plain(city), {"code": "city_code"}) for city in registry.cities()],
        "counties": [plain(county) for county in registry.counties()],
        "towns": [plain(town) for town in registry.towns()],
        "grids": [plain(grid) | {"aliases": list(grid.aliases)} for grid in registry.grids()],
        "event_types": [_renamed(plain(kind), {"code": "event_type", "group": "group_zh"}) for kind in event_types()],
    }


def _renamed(row: Row, names: dict[str, str]) -> Row:
    return {names.get(name, name): value for name, value in row.items() if name != "examples"}


def all_new() -> list[Dimension]:
    """What `load_registry` would do to a database that does not exist yet."""
    return [Dimension(table, len(rows), len(rows), 0) for table, rows in _wanted().items()]


def _synchronize(client: Client, table: str, wanted: list[Row], dry_run: bool) -> Dimension:
    if dry_run and not _has_table(client, table):
        return Dimension(table, len(wanted), len(wanted), 0)
    stored = client.query(_ROWS, parameters={"table": table})
    rows_before = [dict(zip(stored.column_names, values, strict=True)) for values in stored.result_rows]
    key, columns = KEYS[table], list(wanted[0])  # an empty result carries no column names
    before = {row[key]: row for row in rows_before}
    changed = [row for row in wanted if before.get(row[key]) != row]
    kept = {row[key] for row in wanted}
    gone = [row for code, row in before.items() if code not in kept]
    if (changed or gone) and not dry_run:
        rows = [[*(row[name] for name in columns), 0] for row in changed]
        rows += [[*(row[name] for name in columns), 1] for row in gone]
        client.insert(table, rows, column_names=[*columns, "is_deleted"])
    return Dimension(table, len(wanted), len(changed), len(gone))
