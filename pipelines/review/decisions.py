"""Decisions of clerks as ordinary messages.

A decision is the newest snapshot of its report with `event_type` set by a person; it is decoded,
judged and loaded like any message. The reporter is left out, because only its keyed hash is stored.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from clickhouse_connect.driver.client import Client

from pipelines.review.spreadsheet import Decision, LineFault
from pipelines.services.queries import query_text
from schemas.contract import v1
from schemas.event_types import event_types

_BLOCK = 1000  # reports read at once
_NAMESPACE = uuid.UUID("6f0f6c1e-6a5b-5c0e-9b53-0d2d1f6f6b7e")  # of the event ids of decisions
_KEPT = (
    *("report_id", "status", "reported_at", "grid_code", "source", "source_type", "text", "severity"),
    *("satisfaction", "handler"),
)


@dataclass
class Prepared:
    """Messages (key, value) to send, the number of decisions that already hold, and faults."""

    messages: list[tuple[bytes, bytes]] = field(default_factory=list)
    holding: int = 0
    faults: list[LineFault] = field(default_factory=list)


def prepare(client: Client, decisions: Sequence[Decision], now: datetime) -> Prepared:
    """Messages for decisions that change something. A decision that another person has made since
    is not overruled."""
    prepared = Prepared()
    for start in range(0, len(decisions), _BLOCK):
        block = decisions[start : start + _BLOCK]
        newest = snapshots(client, [decision.report_id for decision in block])
        for decision in block:
            _prepare(prepared, decision, newest.get(decision.report_id, []), now)
    return prepared


def snapshots(client: Client, reports: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """The newest message of each report with one of these ids, by id: one for each source that uses the id."""
    by_id: dict[str, list[dict[str, Any]]] = {}
    rows = client.query(query_text("review/snapshots.sql"), {"reports": reports}, tz_mode="aware").named_results()
    for row in rows:
        by_id.setdefault(row["report_id"], []).append(row)
    return by_id


def _prepare(prepared: Prepared, decision: Decision, same_id: Sequence[dict[str, Any]], now: datetime) -> None:
    reports = [report for report in same_id if decision.source in ("", report["source"])]
    if not reports:
        reason = f"没有此上报 no such report: {decision.report_id[:80]}"
        prepared.faults.append(LineFault(decision.line, reason))
    elif len(reports) > 1:
        sources = ", ".join(sorted(report["source"] for report in reports))
        reason = f"编号属多个来源，请填 source 列 several sources use the id {decision.report_id[:80]}: {sources}"
        prepared.faults.append(LineFault(decision.line, reason))
    else:
        _prepare_one(prepared, decision, reports[0], now)


def _prepare_one(prepared: Prepared, decision: Decision, newest: dict[str, Any], now: datetime) -> None:
    if newest["decided_by"] != "person":
        value = msgspec.json.encode(message(newest, decision.event_type, now))
        prepared.messages.append((newest["grid_code"].encode(), value))
    elif newest["event_type"] == decision.event_type:
        prepared.holding += 1
    else:
        reason = f"{decision.report_id}: 已由他人定为 a person has since decided {newest['event_type']}"
        prepared.faults.append(LineFault(decision.line, reason))


def message(newest: dict[str, Any], code: int, now: datetime) -> dict[str, Any]:
    """The snapshot with a person's type, as contract v1. Its event id is computed from the snapshot
    and the type: if it is sent twice, it is the same message."""
    fields = {name: newest[name] for name in _KEPT} | {
        "schema_version": v1.VERSION,
        "event_id": str(uuid.uuid5(_NAMESPACE, f"{newest['report_id']}|{newest['event_id']}|{code}")),
        "event_type": code,
        "updated_at": max(now, newest["updated_at"] + timedelta(milliseconds=1)),
        "due_at": None if _is_default_due(newest) else newest["due_at"],
        "location": _location(newest),
    }
    times = {name: value.astimezone(UTC).isoformat() for name, value in fields.items() if isinstance(value, datetime)}
    given = {name: value for name, value in (fields | times).items() if value not in (None, "")}
    return msgspec.json.decode(newest["extra"] or "{}") | given  # type: ignore[no-any-return]


def _is_default_due(newest: dict[str, Any]) -> bool:
    """Whether due_at is the handling limit of the old type; the limit of the new type then replaces
    it."""
    limits = {kind.code: kind.limit_hours for kind in event_types()}
    hours = limits.get(newest["event_type"])
    return hours is not None and newest["due_at"] == newest["reported_at"] + timedelta(hours=hours)


def _location(newest: dict[str, Any]) -> dict[str, Any] | None:
    if newest["lon"] is None or newest["lat"] is None:
        return None
    return {"lon": newest["lon"], "lat": newest["lat"], "crs": "wgs84"}
