"""A rejected message on its way to quarantine: reasons, masked payload, position."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa

from pipelines.privacy.depth import MASKED_DEPTH, deeper_than
from pipelines.privacy.hashes import Hasher
from pipelines.privacy.mask import UUID, Masker, mask, masker
from pipelines.privacy.people import NAME_FIELD, PERSON_NAME

# As much of a payload as quarantine keeps, in characters: enough to repair any message within the
# contract's limits; a larger one stays in Kafka, found by its offset.
PAYLOAD_LIMIT = 65_536
DETAIL_LIMIT = 500
_TAIL = 1024  # masked and then dropped where a payload is cut: half a number is not detected
_ID_LIMIT = 64
_PERSON = re.compile(rf'("(?:{NAME_FIELD.pattern})"\s*:\s*")(?:{PERSON_NAME.pattern})(?="|$)', re.IGNORECASE)
_REPORT_ID = re.compile(r'("report_id"\s*:\s*")([^"\\]+)(?=")')
_REPORTER = re.compile(r'("reporter"\s*:\s*)"((?:[^"\\]|\\.)*)"?')

REJECTS = pa.schema(
    [
        ("stage", pa.string()),
        ("reason", pa.string()),
        ("reasons", pa.list_(pa.string())),
        ("detail", pa.string()),
        ("key", pa.binary()),
        ("value", pa.binary()),
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("timestamp", pa.timestamp("us", "UTC")),
    ]
)


class Reject(NamedTuple):
    """Row `row` of a table is refused at `stage` for `reasons` (ids of schemas/reasons.yaml, first one first)."""

    row: int
    stage: str
    reasons: tuple[str, ...]
    detail: str
    document: dict[str, Any] | None = None


def rejects_table(records: pa.Table, rejects: Sequence[Reject]) -> pa.Table:
    """The refused rows of `records` as `REJECTS`, bytes still as they were in Kafka, details masked by the built-in
    patterns."""
    rows = records.take(pa.array([reject.row for reject in rejects], pa.int64()))
    columns = [
        pa.array([reject.stage for reject in rejects], pa.string()),
        pa.array([reject.reasons[0] for reject in rejects], pa.string()),
        pa.array([list(reject.reasons) for reject in rejects], pa.list_(pa.string())),
        pa.array([mask(reject.detail) for reject in rejects], pa.string()),
    ]
    return pa.Table.from_arrays([*columns, *(rows[name] for name in REJECTS.names[4:])], schema=REJECTS)


class Identity(NamedTuple):
    """What can still be read of a rejected message, to find and group it."""

    event_id: str | None
    report_id: str
    grid_code: str
    source: str


def quarantine_row(
    key: bytes | None,
    value: bytes | None,
    hasher: Hasher,
    masks: Masker | None = None,
    counts: Counter[str] | None = None,
) -> dict[str, Any]:
    """The columns of `quarantine` that come from the bytes: masked, and cut.

    `counts` gains how much of each kind was masked in the payload."""
    masks = masks or masker()
    raw = value or b""
    document = _read(raw)
    payload = _masked_payload(raw, document, hasher, masks, counts)
    who = _identity(document, hasher, masks)
    return {
        **who._asdict(),
        "message_key": masks.mask((key or b"").decode("utf-8", "backslashreplace"))[:_ID_LIMIT],
        "payload": payload[:PAYLOAD_LIMIT],
        "payload_bytes": len(raw),
    }


def _read(raw: bytes) -> Any:
    if len(raw) > PAYLOAD_LIMIT:
        return None
    try:
        document = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return None
    return None if deeper_than(document, MASKED_DEPTH) else document


def _masked_payload(raw: bytes, document: Any, hasher: Hasher, masks: Masker, counts: Counter[str] | None) -> str:
    if document is not None:
        return msgspec.json.encode(masks.document(document, hasher, counts)).decode()
    text = raw[: PAYLOAD_LIMIT * 4].decode("utf-8", "backslashreplace")
    cut = len(text) > PAYLOAD_LIMIT + _TAIL
    text = text[: PAYLOAD_LIMIT + _TAIL]
    text = _REPORTER.sub(lambda hit: f'{hit[1]}"{hasher(hit[2])}"', text)
    text = _REPORT_ID.sub(lambda hit: hit[1] + masks.identity(hit[2], hasher, counts), text)
    masked = masks.mask(_PERSON.sub(r"\1[姓名]", text), counts)
    return masked[:-_TAIL] if cut else masked


def _identity(document: Any, hasher: Hasher, masks: Masker) -> Identity:
    if not isinstance(document, dict):
        return Identity(None, "", "", "")
    event_id = str(document.get("event_id"))
    report_id, grid_code, source = (
        item if isinstance(item := document.get(name), str) else "" for name in ("report_id", "grid_code", "source")
    )
    return Identity(
        event_id.lower() if UUID.fullmatch(event_id) else None,
        masks.identity(report_id, hasher)[:_ID_LIMIT],
        masks.mask(grid_code)[:_ID_LIMIT],
        masks.mask(source)[:_ID_LIMIT],
    )
