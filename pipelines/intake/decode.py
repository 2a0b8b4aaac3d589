"""Bytes to columns: `decode` reads Kafka records as messages of the contract, each by its own version.

Row by row with msgspec, since one malformed row must not cost its neighbours: pyarrow's JSON reader is 1.7 times as
fast a row but fails a whole block, and end to end the two measured equal (the insert is the limit). Pure: Arrow in,
Arrow out; no Spark, no services.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.intake.rejects import Reject, rejects_table
from pipelines.privacy.depth import deeper_than
from schemas.contract import CURRENT, VERSIONS
from schemas.contract.v1 import FIELDS, Report, StrictReport

# A Kafka record, read by Spark, a test or a replay.
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
    """`max_bytes`: a longer value is rejected unread (`too_large`). `max_depth`: a document nested more deeply is
    rejected (`too_deep`); the contract itself needs 2."""

    max_bytes: int = 65_536
    max_depth: int = 32


_strict = msgspec.json.Decoder(StrictReport).decode
_anything = msgspec.json.Decoder().decode
_WRONG_TYPE = re.compile(r"^Expected `[^`]*`, got `")
_VALUE = re.compile(r"'.*' - at", re.DOTALL)


def decode(records: pa.Table, limits: Limits = Limits()) -> Decoded:  # noqa: B008 - frozen, never mutated
    """Read `records` (schema `RECORD`) against the contract. Never raises for what a message holds.

    The fast path knows the current version without unknown fields; all other messages take the slow path."""
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
            outcome = _slow_path(row, value, limits)
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


def _slow_path(row: int, value: bytes | None, limits: Limits) -> Reject | tuple[Report, str]:
    """A message that the fast path refused: one with unknown fields or of another version, or a reject with its
    reason."""
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
    # Before the type: how deep a document the decoder itself reads differs between Python versions.
    if deeper_than(document, limits.max_depth):
        return Reject(row, "decode", ("too_deep",), f"nested more than {limits.max_depth} levels deep")
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
        report, beyond = contract.stored(contract.read(value, document))
    except msgspec.ValidationError as error:
        return Reject(row, "decode", (_reason(str(error)),), _VALUE.sub("- at", str(error)), document)
    beyond |= contract.unknown(document)
    return report, msgspec.json.encode(beyond).decode() if beyond else ""


def _reason(message: str) -> str:
    """msgspec raises one exception for all violations of the contract; its text names the kind."""
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
