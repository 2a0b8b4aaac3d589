"""Short backfills of the simulator, and their messages as Kafka records."""

from datetime import UTC, date, datetime

import pyarrow as pa

from pipelines.intake.decode import RECORD
from pipelines.sources.simulator.backfill import Backfill
from pipelines.sources.simulator.model import CityModel
from pipelines.sources.simulator.plan import midnight_ms

FIRST, LAST = date(2026, 6, 1), date(2026, 6, 3)


def backfill(model: CityModel, first: date, last: date, **options: object) -> Backfill:
    end = midnight_ms(date.fromordinal(last.toordinal() + 1), model.timezone)
    return Backfill(model, first, last, end, **options)  # type: ignore[arg-type]


def records(values: list[bytes | None]) -> pa.Table:
    """Kafka records of these values, with offsets from 0."""
    now, n = datetime.now(UTC), len(values)
    columns = {"key": [b""] * n, "value": values, "partition": [0] * n, "offset": range(n), "timestamp": [now] * n}
    return pa.table({name: pa.array(list(column), RECORD.field(name).type) for name, column in columns.items()})
