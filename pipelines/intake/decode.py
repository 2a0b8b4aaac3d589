"""Bytes to columns: `decode` reads Kafka records as messages of the contract, each by its own version.

Row by row with msgspec, because one malformed row must not cost its neighbours: pyarrow's own JSON
reader is 1.7 times as fast per row but fails a whole block, and end to end the two measured equal
(the insert is the limit). Pure: Arrow in, Arrow out; no Spark, no services.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.intake.rejects import Reject, rejects_table
from schemas.contract import CURRENT, VERSIONS
from schemas.contract.v1 import FIELDS, Report, StrictReport

# What a Kafka record is to us, whoever read it (Spark, a test, a replay).
RECORD = pa.schema(
    [
        ("key", pa.binary()),
        ("value", pa.binary()),
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("timestamp", pa.timestamp("us", "UTC")),
    ]
)

_MOMENT = pa.timestamp("ms", "UTC")
_COLUMNS: dict[str, pa.DataType] = {
    "schema_version": pa.uint16(),
    "event_id": pa.string(),
    "report_id": pa.string(),
    "status": pa.string(),
    "reported_at": _MOMENT,
    "updated_at": _MOMENT,
    "grid_code": pa.string(),
    "source": pa.string(),
    "text": pa.string(),
    "severity": pa.uint8(),
    "due_at": _MOMENT,
    "source_type": pa.string(),
    "event_type": pa.uint16(),
    "satisfaction": pa.uint8(),
    "handler": pa.string(),
    "reporter": pa.string(),
}
_MESSAGE = pa.schema(
    [
        *((name, kind) for name, kind in _COLUMNS.items()),
        ("lon", pa.float64()),
        ("lat", pa.float64()),
        ("crs", pa.string()),
        ("extra", pa.string()),
    ]
)

# Column names of a decoded message: the contract's, `location` flattened to lon, lat, crs, and
# `extra`; then the record's own.
DECODED = pa.schema([*_MESSAGE, *RECORD])


class Decoded(NamedTuple):
    """`good`: rows of `DECODED`; `rejects`: rows of `pipelines.intake.rejects.REJECTS`. Together all rows."""

    good: pa.Table
    rejects: pa.Table


@dataclass(frozen=True)
class Limits:
    """`max_bytes`: a longer value is rejected unread (`too_large`)."""

    max_bytes: int = 65_536


_strict = msgspec.json.Decoder(StrictReport).decode
_anything = msgspec.json.Decoder().decode
_WRONG_TYPE = re.compile(r"^Expected `[^`]*`, got `")
_VALUE = re.compile(r"'.*' - at", re.DOTALL)


def decode(records: pa.Table, limits: Limits = Limits()) -> Decoded:  # noqa: B008 - frozen, never mutated
    """Read `records` (schema `RECORD`) against the contract. Never raises for what a message holds.

    The quick way knows the current version without unknown fields; all else takes a second look."""
    reports: list[Report] = []
    extras: dict[int, str] = {}
    kept: list[int] = []
    rejects: list[Reject] = []
    for row, value in enumerate(records["value"].to_pylist()):
        try:
            if len(value) > limits.max_bytes:
                raise ValueError
            reports.append(_strict(value))
        except (msgspec.MsgspecError, ValueError, TypeError, RecursionError):
            outcome = _second_look(row, value, limits)
            if isinstance(outcome, Reject):
                rejects.append(outcome)
                continue
            report, extras[len(reports)] = outcome
            reports.append(report)
        kept.append(row)
    source = records if len(kept) == len(records) else records.take(pa.array(kept, pa.int64()))
    good = pa.Table.from_arrays(
        [*_message_columns(reports, extras), *source.select(RECORD.names).columns], schema=DECODED
    )
    return Decoded(good, rejects_table(records, rejects))


def _message_columns(reports: list[Report], extras: dict[int, str]) -> Iterable[pa.Array]:
    by_name = dict(zip(FIELDS, zip(*map(msgspec.structs.astuple, reports), strict=True), strict=False))
    for name, kind in _COLUMNS.items():
        yield pa.array(by_name.get(name, ()), kind)
    locations = by_name.get("location", ())
    yield pa.array((None if at is None else at.lon for at in locations), pa.float64(), size=len(reports))
    yield pa.array((None if at is None else at.lat for at in locations), pa.float64(), size=len(reports))
    yield pa.array((None if at is None else at.crs for at in locations), pa.string(), size=len(reports))
    yield pa.array([extras.get(i, "") for i in range(len(reports))], pa.string())


def _second_look(row: int, value: bytes | None, limits: Limits) -> Reject | tuple[Report, str]:
    """What the fast path refused: a message with unknown fields, or a reject with its reason."""
    if not value:
        return Reject(row, "decode", ("empty",), "no bytes")
    if len(value) > limits.max_bytes:
        return Reject(row, "decode", ("too_large",), f"{len(value)} bytes, limit {limits.max_bytes}")
    try:
        value.decode()
    except UnicodeDecodeError as error:
        return Reject(row, "decode", ("not_utf8",), f"byte {error.start}")
    try:
        document = _anything(value)
    except RecursionError:
        return Reject(row, "decode", ("too_deep",), "nested too deeply to be read")
    except msgspec.MsgspecError as error:
        return Reject(row, "decode", ("not_json",), str(error))
    if not isinstance(document, dict):
        return Reject(row, "decode", ("not_an_object",), type(document).__name__)
    return _against_contract(row, value, document)


def _against_contract(row: int, value: bytes, document: dict[str, Any]) -> Reject | tuple[Report, str]:
    version = document.get("schema_version")
    number: int = version if isinstance(version, int) and not isinstance(version, bool) else CURRENT
    contract = VERSIONS.get(number)
    if contract is None:
        return Reject(row, "decode", ("unknown_version",), f"schema_version {version}", document)
    try:
        report, beyond = contract.stored(contract.decode(value))
    except msgspec.ValidationError as error:
        return Reject(row, "decode", (_reason(str(error)),), _VALUE.sub("- at", str(error)), document)
    beyond |= {name: item for name, item in document.items() if name not in contract.fields}
    return report, msgspec.json.encode(beyond).decode() if beyond else ""


def _reason(message: str) -> str:
    """msgspec has one exception for all contract violations; its text tells the kind apart."""
    if message.startswith("Object missing required field"):
        return "missing_field"
    return "wrong_type" if _WRONG_TYPE.match(message) else "bad_value"


def record_table(rows: Iterable[tuple[bytes | None, bytes | None, int, int, int]]) -> pa.Table:
    """Records from (key, value, partition, offset, timestamp in ms): for tests and replays."""
    key, value, partition, offset, millis = zip(*rows, strict=True)
    stamps = pc.cast(pa.array(millis, pa.timestamp("ms", "UTC")), RECORD.field("timestamp").type)
    return pa.table(
        [
            pa.array(key, pa.binary()),
            pa.array(value, pa.binary()),
            pa.array(partition, pa.int32()),
            pa.array(offset, pa.int64()),
            stamps,
        ],
        schema=RECORD,
    )
