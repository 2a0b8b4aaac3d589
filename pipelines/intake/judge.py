"""The rules that need more than one field, the clock or the registry: which rows are refused, and which are warned of.

The rules stand in `schemas/expectations/events.yaml`. Each is evaluated on every row; the ids of all that a row breaks
are kept, and the first one in the file's order is the reason. `judge` refuses rows before anything is derived from
them; accepted rows gain where and when they belong: county, town, city and the local day. `warnings` looks at events
as they are stored (text masked, location in WGS-84, type decided), so that the tables can be held to the same rules.
Pure: Arrow in, Arrow out.

Cost (`python -m tests.bench.judging`, 200,000 messages, one core, one run): 7.46 µs a message to decode, 0.76 to judge
and place, 0.17 to warn: 11.2 % less throughput than decoding alone, 12.4 % with the outlines of counties.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.intake.decode import DECODED
from pipelines.intake.rejects import Reject, rejects_table
from pipelines.intake.rules.columns import Columns, Context
from pipelines.intake.rules.compile import ids, row_checks
from pipelines.places.coordinates import to_wgs84

# Columns of `events` that a warning may be about.
WARNED_ON = (
    *("day", "city_code", "county_code", "town_code", "grid_code", "status", "reported_at", "updated_at", "due_at"),
    *("kafka_time", "source", "source_type", "event_type", "decided_by", "confidence", "suspect", "text", "lon", "lat"),
    *("outside_m", "severity", "satisfaction", "handler", "reporter_hash", "schema_version"),
)

# Compiled on import: a stream whose rules it cannot check does not start.
REFUSALS = row_checks("reject", tuple(DECODED.names))
WARNINGS = row_checks("warn", WARNED_ON)


class Judged(NamedTuple):
    """`good`: the accepted rows without the record's bytes, with `day`, `city_code`, `county_code`, `town_code` added
    and the location in WGS-84; `rejects`: rows of `pipelines.intake.rejects.REJECTS`."""

    good: pa.Table
    rejects: pa.Table


def judge(decoded: pa.Table, context: Context) -> Judged:
    """Split `decoded` (schema `pipelines.intake.decode.DECODED`) by the rules that refuse; no row is lost."""
    columns = Columns(decoded, context)
    broken = REFUSALS.broken(columns)
    refused = broken.any(axis=0)
    at = np.flatnonzero(refused)
    rejects = [_reject(int(row), found) for row, found in zip(at, ids(REFUSALS, broken, at), strict=True)]
    kept = np.flatnonzero(~refused)
    read = decoded.drop_columns(["key", "value"])  # the bytes are by far the widest, and nobody asks for them again
    good = read if len(kept) == read.num_rows else read.take(pa.array(kept))
    return Judged(_located(_placed(good, columns, kept)), rejects_table(decoded, rejects))


def warnings(events: pa.Table, context: Context) -> pa.Array:
    """The ids of the rules that each row breaks without being refused: a list of strings a row.

    `events` has the columns `WARNED_ON`, as they are stored."""
    return WARNINGS.named(WARNINGS.broken(Columns(events, context)))


def _reject(row: int, broken: tuple[str, ...]) -> Reject:
    return Reject(row, "judge", broken, ", ".join(broken))


def _placed(good: pa.Table, columns: Columns, kept: NDArray[np.intp]) -> pa.Table:
    grids, rows = columns.context.grids, columns.grid[0][kept]
    at = pa.array(rows)
    city = (
        pa.DictionaryArray.from_arrays(pa.array(grids.city[rows]), pa.array(grids.city_codes, pa.string()))
        if len(kept)
        else pa.array([], pa.string())
    )
    return (
        good.append_column("day", pa.array(columns.day[kept], pa.date32()))
        .append_column("city_code", pc.cast(city, pa.string()))
        .append_column("county_code", grids.county_codes.take(at))
        .append_column("town_code", grids.town_codes.take(at))
    )


def _located(good: pa.Table) -> pa.Table:
    is_gcj02 = pc.fill_null(pc.equal(good["crs"], "gcj02"), False).to_numpy()
    if not is_gcj02.any():
        return good
    lon, lat = to_wgs84(_floats(good["lon"]), _floats(good["lat"]), is_gcj02)
    for name, values in (("lon", lon), ("lat", lat)):
        good = good.set_column(good.schema.get_field_index(name), name, pa.array(values, from_pandas=True))
    return good


def _floats(column: pa.ChunkedArray) -> NDArray[np.float64]:
    return np.asarray(pc.fill_null(column, np.nan).to_numpy(), np.float64)
