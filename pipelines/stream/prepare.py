"""One chunk of records to rows of `events` and `quarantine`: decode, judge, drop resends, classify, warn. Pure."""

import contextlib
import functools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.classify import Model, decide
from pipelines.classify.suspect import suspect
from pipelines.intake.decode import Limits, decode
from pipelines.intake.judge import judge, warnings
from pipelines.intake.rejects import DETAIL_LIMIT, Reject, quarantine_row, rejects_table
from pipelines.intake.rules.columns import Context
from pipelines.load.ranges import OffsetRange, Stream
from pipelines.load.rows import Isolated, Rows
from pipelines.places.outlines import metres_outside
from pipelines.privacy.hashes import content_hasher, payload_hash, reporter_hasher
from pipelines.privacy.mask import masker
from schemas.event_types import event_types

_STAMP = pa.timestamp("ms", "UTC")
# Columns of `events` that a judged row already has under the same name.
AS_THEY_ARE = (
    *("day", "city_code", "county_code", "town_code", "grid_code", "event_id", "status", "reported_at"),
    *("updated_at", "source", "lon", "lat", "severity", "satisfaction", "schema_version", "content"),
)
QUARANTINE_FROM_BYTES = pa.schema(
    [
        ("event_id", pa.string()),
        ("report_id", pa.string()),
        ("grid_code", pa.string()),
        ("source", pa.string()),
        ("message_key", pa.string()),
        ("payload", pa.string()),
        ("payload_bytes", pa.uint32()),
    ]
)


@dataclass(frozen=True)
class Preparation:
    """What preparing needs in addition to the records; the same for all chunks of a micro-batch, except for the time
    of judging in `context`. `basis`: versions of everything that the outcome depends on, recorded in the ledger."""

    stream: Stream
    limits: Limits
    context: Context
    model: Model
    hash_key: bytes = field(repr=False)
    mask_patterns: tuple[tuple[str, str], ...] = ()
    basis: Mapping[str, str] = field(default_factory=dict)


def prepare(
    records: pa.Table, offsets: OffsetRange, plan: Preparation, isolated: Mapping[int, Isolated] = MappingProxyType({})
) -> Rows:
    """Every record of `records` ends as an event, a quarantine row, or a counted resend.

    isolated: offsets that the program cannot process, each with the reason; they go to quarantine unread.
    """
    kept, apart = _split(records, isolated)
    decoded = decode(kept, plan.limits)
    judged = judge(_with_content(decoded.good, plan.hash_key), plan.context)
    first_of_each = _without_resends(judged.good)
    times = pc.min_max(records["timestamp"]).as_py()
    masked: Counter[str] = Counter()
    events = _events(first_of_each, plan, masked)
    quarantine = _quarantine(pa.concat_tables([decoded.rejects, judged.rejects]), plan, masked)
    if apart.num_rows:
        quarantine = pa.concat_tables([quarantine, _isolated(apart, isolated, plan)])
    return Rows(
        offsets=offsets,
        events=events,
        quarantine=quarantine,
        duplicates=judged.good.num_rows - first_of_each.num_rows,
        judged_at=plan.context.now,
        basis=plan.basis,
        first_time=times["min"],
        last_time=times["max"],
        warned=pc.sum(pc.greater(pc.list_value_length(events["warnings"]), 0)).as_py() or 0,
        isolated=isolated,
        masked=masked,
    )


def _split(records: pa.Table, isolated: Mapping[int, Isolated]) -> tuple[pa.Table, pa.Table]:
    """The records to be processed, and the isolated ones."""
    if not isolated:
        return records, records.slice(0, 0)
    apart = pc.is_in(records["offset"], pa.array(isolated, pa.int64()))
    return records.filter(pc.invert(apart)), records.filter(apart)


def _with_content(good: pa.Table, hash_key: bytes) -> pa.Table:
    """`good` with the column `content`, a hash of the whole message."""
    hasher = content_hasher(hash_key)
    return good.append_column("content", pa.array(map(hasher, good["value"].to_pylist()), pa.uint64()))


def _without_resends(good: pa.Table) -> pa.Table:
    """`good` with event_id in lower case, the first row only of those with equal event_id and content.

    Another message under the same event_id is kept: it is not a resend.
    """
    good = good.set_column(good.schema.get_field_index("event_id"), "event_id", pc.utf8_lower(good["event_id"]))
    codes = good["event_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    first = np.unique(np.stack((codes.astype(np.uint64), good["content"].to_numpy())), axis=1, return_index=True)[1]
    return good if len(first) == good.num_rows else good.take(pa.array(np.sort(first)))


def _events(good: pa.Table, plan: Preparation, masked: Counter[str]) -> pa.Table:
    """`masked` gains how much of each kind of personal data was masked."""
    hasher, masks = reporter_hasher(plan.hash_key), masker(plan.mask_patterns)
    text = masks.column(good["text"], masked)
    columns: dict[str, Any] = {name: good[name] for name in AS_THEY_ARE}
    columns |= {
        "report_id": masks.identity_column(good["report_id"], hasher, masked),
        "text": text,
        "source_type": masks.column(pc.fill_null(good["source_type"], ""), masked),
        "handler": masks.column(pc.fill_null(good["handler"], ""), masked),
        "reporter_hash": pa.array([hasher(who) for who in good["reporter"].to_pylist()], pa.string()),
        "extra": masks.json_column(good["extra"], hasher, masked),
        "outside_m": metres_outside(good["county_code"], good["lon"], good["lat"]),
        "suspect": suspect(text),
    }
    events = pa.table(columns | _decided(good, text, plan.model) | _position(good, plan.stream))
    return events.append_column("warnings", warnings(events, plan.context))


def _decided(good: pa.Table, text: pa.Array, model: Model) -> dict[str, Any]:
    asked = {"event_type": good["event_type"], "source_type": good["source_type"], "text": text}
    decided = decide(model, pa.table(asked))
    by_text = pc.is_in(decided.decided_by, pa.array(["model", "fallback"]))
    return {
        **decided._asdict(),
        "model_version": pc.if_else(by_text, model.version, ""),
        "due_at": _due(good, decided.event_type),
    }


def _due(good: pa.Table, event_type: pa.Array) -> pa.ChunkedArray:
    """The message's own limit, else the type's handling limit after `reported_at`."""
    limits = pa.array(_limits_ms()[event_type.to_numpy()], pa.duration("ms"))
    return pc.coalesce(good["due_at"], pc.add(good["reported_at"], limits))


@functools.cache
def _limits_ms() -> Any:
    table = np.zeros(1000, np.int64)
    for kind in event_types():
        table[kind.code] = kind.limit_hours * 3_600_000
    return table


def _position(rows: pa.Table, stream: Stream) -> dict[str, Any]:
    same = {"topic": stream.topic, "topic_id": stream.topic_id}
    return {
        **{name: pa.repeat(pa.scalar(value), rows.num_rows) for name, value in same.items()},
        "kafka_partition": pc.cast(rows["partition"], pa.uint16()),
        "kafka_offset": pc.cast(rows["offset"], pa.uint64()),
        "kafka_time": pc.cast(rows["timestamp"], _STAMP, safe=False),
    }


def _quarantine(rejects: pa.Table, plan: Preparation, masked: Counter[str]) -> pa.Table:
    hasher, masks = reporter_hasher(plan.hash_key), masker(plan.mask_patterns)
    pairs = zip(rejects["key"].to_pylist(), rejects["value"].to_pylist(), strict=True)
    return _quarantine_table(rejects, [quarantine_row(key, value, hasher, masks, masked) for key, value in pairs], plan)


def _quarantine_table(rejects: pa.Table, from_bytes: list[dict[str, Any]], plan: Preparation) -> pa.Table:
    read = pa.Table.from_pylist(from_bytes, QUARANTINE_FROM_BYTES)
    columns = {name: rejects[name] for name in ("stage", "reason", "reasons")}
    detail = masker(plan.mask_patterns).column(rejects["detail"])  # before it is cut: half a number is not detected
    columns["detail"] = pc.utf8_slice_codeunits(detail, 0, DETAIL_LIMIT)
    columns |= dict(zip(read.column_names, read.columns, strict=True))
    hashes = [payload_hash(plan.hash_key, value) for value in rejects["value"].to_pylist()]
    columns["payload_sha256"] = pa.array(hashes, pa.string())
    return pa.table(columns | _position(rejects, plan.stream))


def _isolated(records: pa.Table, isolated: Mapping[int, Isolated], plan: Preparation) -> pa.Table:
    """Quarantine rows of messages that the program cannot process."""
    reasons = [isolated[offset] for offset in records["offset"].to_pylist()]
    rejects = [Reject(row, "isolate", ("unforeseen",), reason.detail) for row, reason in enumerate(reasons)]
    messages = zip(records["key"].to_pylist(), records["value"].to_pylist(), reasons, strict=True)
    from_bytes = [_row_or_bare(key, value, reason.bare, plan) for key, value, reason in messages]
    return _quarantine_table(rejects_table(records, rejects), from_bytes, plan)


def _row_or_bare(key: bytes | None, value: bytes | None, bare: bool, plan: Preparation) -> dict[str, Any]:
    """The columns from the bytes; no payload where masking itself fails, so that nothing leaks."""
    hasher, masks = reporter_hasher(plan.hash_key), masker(plan.mask_patterns)
    if not bare:
        with contextlib.suppress(Exception):
            return quarantine_row(key, value, hasher, masks)
    return quarantine_row(None, None, hasher, masks) | {"payload_bytes": len(value or b"")}
