"""Fill the dimension tables from the files of the registry and the taxonomy.

The tables follow the files: a changed row is inserted again (the newest row is valid), a row that
is no longer in the files is inserted as deleted, and if nothing has changed, nothing is inserted.
"""

from dataclasses import dataclass
from typing import Any

import msgspec
from clickhouse_connect.driver.client import Client

from schemas import registry
from schemas.event_types import event_types
from schemas.sources import sources

_TABLE_EXISTS = "SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = {name:String}"
_ROWS = "SELECT * EXCEPT (loaded_at, is_deleted) FROM {table:Identifier} FINAL"

# Dimension table -> its key column; `_wanted` returns the rows.
KEYS = {
    "cities": "city_code",
    "counties": "county_code",
    "towns": "town_code",
    "grids": "grid_code",
    "event_types": "event_type",
    "sources": "source",
}
Row = dict[str, Any]


@dataclass(frozen=True)
class Dimension:
    """The result of `load_registry` for one table: its rows now, and the number of rows inserted
    and removed."""

    table: str
    rows: int
    inserted: int
    removed: int


def load_registry(client: Client, dry_run: bool = False) -> list[Dimension]:
    """Fill the dimensions from the files; unchanged rows are not inserted. A dry run only counts."""
    wanted = _wanted()
    return [_synchronize(client, table, wanted[table], dry_run) for table in KEYS]


def _wanted() -> dict[str, list[Row]]:
    """The rows of each dimension in the files, by table; a row is a dict by column name."""
    as_row = msgspec.structs.asdict
    return {
        "cities": [_renamed(as_row(city), {"code": "city_code"}) for city in registry.cities()],
        "counties": [as_row(county) for county in registry.counties()],
        "towns": [as_row(town) for town in registry.towns()],
        "grids": [as_row(grid) | {"aliases": list(grid.aliases)} for grid in registry.grids()],
        "event_types": [_renamed(as_row(kind), {"code": "event_type", "group": "group_zh"}) for kind in event_types()],
        "sources": [
            _renamed(as_row(source), {"id": "source", "zh": "source_zh", "en": "source_en"})
            for source in sources().values()
        ],
    }


def _renamed(row: Row, names: dict[str, str]) -> Row:
    return {names.get(name, name): value for name, value in row.items() if name != "examples"}


def all_new() -> list[Dimension]:
    """The result of `load_registry` for a database that does not exist yet."""
    return [Dimension(table, len(rows), len(rows), 0) for table, rows in _wanted().items()]


def _synchronize(client: Client, table: str, wanted: list[Row], dry_run: bool) -> Dimension:
    if dry_run and not client.query(_TABLE_EXISTS, {"name": table}).result_rows[0][0]:
        return Dimension(table, len(wanted), len(wanted), 0)
    stored = client.query(_ROWS, parameters={"table": table})
    key, columns = KEYS[table], list(wanted[0])  # an empty result has no column names
    before = {row[key]: row for row in stored.named_results()}
    changed = [row for row in wanted if before.get(row[key]) != row]
    kept = {row[key] for row in wanted}
    gone = [row for code, row in before.items() if code not in kept]
    if (changed or gone) and not dry_run:
        rows = [[*(row[name] for name in columns), 0] for row in changed]
        rows += [[*(row[name] for name in columns), 1] for row in gone]
        client.insert(table, rows, column_names=[*columns, "is_deleted"])
    return Dimension(table, len(wanted), len(changed), len(gone))
