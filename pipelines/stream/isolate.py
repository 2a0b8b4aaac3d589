"""Find the messages of a chunk that the program cannot process, so that they alone go to quarantine. Pure.

An error that nobody foresaw costs the one message that raises it, never the stream. Whether it is the message's fault
is decided by an experiment: a control message, known to be good, must pass. When it fails too, the program or its
surroundings are at fault, and no message is called bad data.

The same messages are isolated in every run, since the outcome depends on the messages and on the code alone.
"""

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta

import msgspec
import pyarrow as pa

from pipelines.errors import Defect, GridstreamError
from pipelines.intake.decode import RECORD, record_table
from pipelines.load.ranges import OffsetRange
from pipelines.load.rows import Isolated, Rows
from pipelines.stream.prepare import Preparation, prepare

# Never the fault of a message.
_SURROUNDINGS = (GridstreamError, MemoryError, OSError, ImportError)
# So many in one chunk are not exceptions any more: a person must look.
MOST = 1_000

Attempt = Callable[[pa.Table], object]


def prepare_or_isolate(records: pa.Table, offsets: OffsetRange, plan: Preparation) -> Rows:
    """`prepare`, with the messages isolated that make it fail.

    Raises:
        Defect: the program fails on a good message too, or on more than `MOST` messages of the chunk.
    """
    try:
        return prepare(records, offsets, plan)
    except _SURROUNDINGS:
        raise
    except Exception as error:
        require_control(plan, lambda control: prepare(control, _CONTROL_OFFSETS, plan), error)
        isolated = culprits(records, lambda part: prepare(part, offsets, plan))
        if not isolated:  # only the whole chunk fails
            raise
        return prepare(records, offsets, plan, {offset: Isolated(why) for offset, why in isolated.items()})


def isolate_refused(records: pa.Table, rows: Rows, plan: Preparation, table: str, probe: Attempt) -> Rows:
    """`rows`, prepared from `records`, with the messages isolated whose values ClickHouse refuses in `table`.

    probe: raises for rows of `table` that ClickHouse refuses.

    Raises:
        Defect: ClickHouse refuses the rows of a good message too (the tables do not fit the program), or only the
        whole.
    """
    control = control_records(plan)
    good = prepare(control, _CONTROL_OFFSETS, plan, {} if table == "events" else {0: Isolated("control")})
    failure = _error_of(getattr(good, table), probe)
    refused = culprits(getattr(rows, table), probe, "kafka_offset") if failure is None else {}
    if not refused:
        raise Defect(
            f"ClickHouse refuses rows of {table}, and not for one message: {failure or 'only the whole block'}"
        )
    # A quarantine row that is refused keeps its position and its reason only.
    details = {offset: Isolated(why, bare=table == "quarantine") for offset, why in refused.items()}
    return prepare(records, rows.offsets, plan, {**rows.isolated, **details})


def culprits(records: pa.Table, attempt: Attempt, offset: str = "offset") -> dict[int, str]:
    """By offset (the column of that name), what each record raises alone in `attempt`; found by halving.

    Raises:
        Defect: more than `MOST` records.
    """
    found: dict[int, str] = {}
    parts = [records]
    while parts:
        part = parts.pop()
        error = _error_of(part, attempt)
        if error is None:
            continue
        if part.num_rows > 1:
            half = part.num_rows // 2
            parts += [part.slice(half), part.slice(0, half)]
            continue
        found[int(part[offset][0].as_py())] = str(Defect.of(error))
        if len(found) > MOST:
            raise Defect(f"more than {MOST} messages of one chunk cannot be processed; the last: {Defect.of(error)}")
    return found


def require_control(plan: Preparation, attempt: Attempt, error: Exception) -> None:
    """Raise `Defect` when the control message fails in `attempt` as well: then no message is at fault."""
    failure = _error_of(control_records(plan), attempt)
    if failure is not None:
        raise Defect(f"{Defect.of(error)}; a good message fails too: {Defect.of(failure)}") from error


def control_records(plan: Preparation) -> pa.Table:
    """One record whose message is known to be good: valid in the first grid of the registry."""
    grids = plan.context.grids
    grid = f"{int(grids.codes[0]):012}" if len(grids.codes) else "0" * 12
    day = grids.valid_from[0].astype(datetime) if len(grids.codes) else datetime(2020, 1, 1).date()
    reported = datetime.combine(day, time(12), UTC) + timedelta(days=1)
    message = {
        "schema_version": 1,
        "event_id": "00000000-0000-4000-8000-000000000001",
        "report_id": "control",
        "status": "reported",
        "reported_at": reported.isoformat(),
        "updated_at": reported.isoformat(),
        "grid_code": grid,
        "source": "grid_app",
        "text": "路面破损，请尽快修复",
        "severity": 2,
    }
    millis = int(reported.timestamp() * 1000)
    return record_table([(grid.encode(), msgspec.json.encode(message), 0, 0, millis)]).cast(RECORD)


def _error_of(records: pa.Table, attempt: Attempt) -> Exception | None:
    """What `attempt` raises; None when it passes. Faults of the surroundings are raised."""
    try:
        attempt(records)
    except _SURROUNDINGS:
        raise
    except Exception as error:
        return error
    return None


_CONTROL_OFFSETS = OffsetRange(0, 0, 0)
