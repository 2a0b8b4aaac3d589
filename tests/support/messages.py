"""Messages for tests: a valid one, records of any values, rejected messages."""

import json
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from pipelines.intake.decode import record_table
from pipelines.quarantine.message import RejectedMessage

ARRIVED = 1_700_000_000_000  # ms


def message(**changes: Any) -> dict[str, Any]:
    """A valid message of contract v1. `changes` replace or add fields; a None stays as null."""
    return {
        "schema_version": 1,
        "event_id": "0f0e0d0c-0b0a-4908-8706-050403020100",
        "report_id": "R1",
        "status": "reported",
        "reported_at": "2026-03-01T08:00:00+08:00",
        "updated_at": "2026-03-01T08:00:00+08:00",
        "grid_code": "330203001001",
        "source": "grid_app",
        "text": "楼道堆放杂物",
        "severity": 2,
        **changes,
    }


def without(*names: str) -> dict[str, Any]:
    return {name: value for name, value in message().items() if name not in names}


def encoded(value: Any) -> bytes | None:
    return value if isinstance(value, bytes) or value is None else json.dumps(value, ensure_ascii=False).encode()


def records(*values: Any, first_offset: int = 0, partition: int = 0) -> pa.Table:
    """Records with these values (bytes, None, or anything that becomes JSON) at consecutive offsets."""
    return record_table((b"k", encoded(value), partition, first_offset + i, ARRIVED) for i, value in enumerate(values))


def rejected(**changes: Any) -> RejectedMessage:
    """A row of `quarantine`, waiting; `payload_bytes` is the length of the payload unless changed."""
    payload = changes.setdefault("payload", "")
    at = datetime(2026, 3, 1, tzinfo=UTC)
    fields: dict[str, Any] = {
        **{"topic_id": "id", "partition": 0, "offset": 0, "kafka_time": at, "stage": "judge"},
        **{"reason": "unknown_grid", "reasons": ["unknown_grid"], "rules": ["unknown_grid"], "detail": ""},
        **{"event_id": None, "report_id": "", "grid_code": "330203001001", "source": "hotline", "message_key": ""},
        **{"payload_bytes": len(payload), "sha256": "", "quarantined_at": at, "state": "waiting", "fix": ""},
    }
    return RejectedMessage(**fields | changes)
