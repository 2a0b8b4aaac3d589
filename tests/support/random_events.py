"""Random events at the limits of the rules: each column takes values on both sides of a limit, and null if it may."""

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa

from pipelines.intake.rules.columns import Columns, Context
from pipelines.places.grids import GridIndex, GridRow

NOW = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
_MS, _DAY = timedelta(milliseconds=1), timedelta(days=1)
_AT = datetime(2026, 3, 1, 15, 59, 59, 999_000, tzinfo=UTC)  # the last moment of a day in Ningbo
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MOMENTS = [_AT, _AT + _MS, _AT - _MS, NOW]

GRIDS = [
    GridRow("990203001001", "990203001", "990203", "990200", "Asia/Shanghai", date(1990, 1, 1), None),
    GridRow("990203001002", "990203001", "990203", "990200", "Asia/Shanghai", date(2018, 1, 1), date(2026, 3, 1)),
    GridRow("990203001003", "990203001", "990203", "990200", "Asia/Shanghai", date(2026, 3, 2), None),
]
TYPES = frozenset({101, 405, 999})
CONTEXT = Context(GridIndex.of(GRIDS), TYPES, NOW)

# Possible values of each column; None only where the stream can see null.
VALUES: dict[str, list[Any]] = {
    "grid_code": [*(grid.grid_code for grid in GRIDS), "990203001999"],
    "reported_at": [*_MOMENTS, _EPOCH, _EPOCH - _MS, NOW - 400 * _DAY, NOW - 400 * _DAY - _MS],
    "updated_at": [*_MOMENTS, _EPOCH, NOW + timedelta(minutes=5), NOW + timedelta(minutes=5) + _MS],
    "due_at": [None, *_MOMENTS, _AT + 7 * _DAY, _AT + 7 * _DAY + _MS, _AT + 3653 * _DAY, _AT + 3653 * _DAY + _MS],
    "kafka_time": [NOW, NOW + _MS, NOW + 400 * _DAY],
    "event_type": [None, 101, 405, 998],
    "status": ["reported", "resolved", "closed", "reopened"],
    "satisfaction": [None, 1, 5],
    "severity": [1, 3, 4],
    "handler": ["", "甲科"],
    "text": ["楼道堆放杂物", "楼道", "", "1234", "，。！?", "𠮷𠮷𠮷𠮷", "①②③Ⅳ", "가나다", "1é23", "    ", "a b c"],
    "outside_m": [None, 0.0, 500.5],
    "event_id": ["00000000-0000-0000-0000-000000000000", *(f"{i:08x}-0000-4000-8000-000000000000" for i in range(9))],
}
_TYPES = {
    **dict.fromkeys(("reported_at", "updated_at", "due_at", "kafka_time"), pa.timestamp("ms", "UTC")),
    "event_type": pa.uint16(),
    "satisfaction": pa.uint8(),
    "severity": pa.uint8(),
    "outside_m": pa.float32(),
}
NEVER_NULL_IN_TABLES = {"due_at": _AT + 2 * _DAY, "event_type": 999}


def table(rows: list[dict[str, Any]]) -> pa.Table:
    """`rows` as a table of the stream, numbered by `kafka_offset`."""
    columns = {name: pa.array([row[name] for row in rows], _TYPES.get(name, pa.string())) for name in VALUES}
    return pa.table(columns | {"kafka_offset": pa.array(range(len(rows)), pa.uint64())})


def drawn(count: int, seed: int) -> list[dict[str, Any]]:
    """Random rows as the stream can see them, nulls included."""
    draw = random.Random(seed)
    return [{name: draw.choice(values) for name, values in VALUES.items()} for _ in range(count)]


def stored(count: int, seed: int) -> pa.Table:
    """Random rows as `events` can hold them: with the column `day`, and nulls only in nullable columns."""
    rows = drawn(count, seed)
    for row in rows:
        row.update({name: value for name, value in NEVER_NULL_IN_TABLES.items() if row[name] is None})
    events = table(rows)
    return events.append_column("day", Columns(events, CONTEXT)["day"])
