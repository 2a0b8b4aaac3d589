"""Checks on ClickHouse alone: no event is counted twice, and each report's state is its newest event.

Large tables are read in slices of a hash, so that the server's memory does not grow with them.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

from clickhouse_connect.driver.client import Client

from pipelines.verify.arrays import dicts
from pipelines.verify.report import SHOWN, Check, ProofFinding, merged

_SLICE_ROWS = 2_000_000  # about 600 MB of the server's memory
_TRIES = 5  # while the stream writes, a query may read one table before an insert and the other after it

_ROWS = "SELECT count() AS rows FROM events"

# Rows with the same day, city, event_id and content are merged into one, and FINAL shows them as one. So only a message
# on two days or in two cities stays twice in `events`. Two messages under one event_id both count: an id that was used
# twice is the source's fault, and dropping either would lose a report. Contents made with different keys (their first
# 16 bits) cannot be compared.
_UNIQUE = """
SELECT sum(rows) AS rows, count() AS event_ids, sum(unmerged) AS awaiting_merge, countIf(keys) AS twice,
       countIf(reused) AS reused, groupArrayIf({shown:UInt8})(id, keys) AS twice_ids,
       groupArrayIf({shown:UInt8})(id, reused) AS reused_ids
FROM
(
    SELECT toString(event_id) AS id, sum(copies) AS rows, countIf(copies > 1) AS unmerged, max(places) AS keys,
           min(first_report) != max(last_report) OR count() > uniqExact(bitShiftRight(content, 48)) AS reused
    FROM
    (
        SELECT event_id, content, count() AS copies, min((source, report_id)) AS first_report,
               max((source, report_id)) AS last_report,
               min(day) != max(day) OR min(city_code) != max(city_code) AS places
        FROM events
        WHERE sipHash64(event_id) % {slices:UInt32} = {slice:UInt32}
        GROUP BY event_id, content
    )
    GROUP BY event_id
)"""

# Compares `reports` with each report's newest event, and with how it was handled. A report is a source and a report_id.
# The newest event has the largest updated_at, then the latest status, then the largest offset; offsets of different
# partitions say nothing about time, so there any event that is equal in the first two may be the state. A report whose
# reported_at moved to another day has a state on each of them, compared with the events of that day.
_STATES = """
WITH ('resolved', 'closed') AS done,
     ['reported', 'accepted', 'dispatched', 'resolved', 'closed', 'reopened', 'rejected'] AS steps
SELECT uniqExact(source, id) AS reports, sum(events) AS events,
       groupArrayIf({shown:UInt8})(id, missing) AS missing_ids, countIf(missing) AS missing,
       groupArrayIf({shown:UInt8})(id, other) AS other_ids, countIf(other) AS other,
       groupArrayIf({shown:UInt8})(id, handling) AS handling_ids, countIf(handling) AS handling,
       groupUniqArrayIf({shown:UInt8})(id, two_days) AS two_days_ids, uniqExactIf((source, id), two_days) AS two_days
FROM
(
    SELECT e.source AS source, e.id AS id, e.events AS events,
           e.two_cities OR count() OVER (PARTITION BY e.source, e.id) > 1 AS two_days,
           s.report_id = '' AS missing,
           NOT missing AND s.event_id != e.newest
             AND (e.places = 1 OR s.updated_at != e.updated_at OR s.status != e.status) AS other,
           e.status IN done AS handled,
           NOT (missing OR other)
             AND (s.handled != handled OR s.reopened != e.reopened
                  OR s.on_time != (handled AND e.handled_at <= e.due_at)
                  OR ifNull(s.handled_at, toDateTime64(0, 3))
                     != if(handled AND NOT e.bounded, e.handled_at, toDateTime64(0, 3))
             ) AS handling
    FROM
    (
        SELECT source, report_id AS id, day, count() AS events, min(city_code) != max(city_code) AS two_cities,
               uniqExact(topic_id, kafka_partition) AS places,
               argMax((event_id, events.status, events.due_at, events.updated_at,
                       events.extra LIKE '%"closing_time"%' AND JSON_VALUE(events.extra, '$.closing_time') = 'bound'),
                      (events.updated_at, arrayFirstIndex(step -> step = events.status, steps), kafka_offset,
                       toString(event_id))) AS last,
               last.1 AS newest, last.2 AS status, last.3 AS due_at, last.4 AS updated_at, last.5 AS bounded,
               countIf(events.status = 'reopened') > 0 AS reopened,
               if(reopened, last.4, minIf(events.updated_at, events.status IN done)) AS handled_at
        FROM events
        WHERE sipHash64(report_id) % {slices:UInt32} = {slice:UInt32}
        GROUP BY source, report_id, day
    ) AS e
    LEFT JOIN
    (
        SELECT source, report_id, day, event_id, status, updated_at, handled, handled_at, on_time, reopened FROM reports
        WHERE sipHash64(report_id) % {slices:UInt32} = {slice:UInt32}
    ) AS s ON s.source = e.source AND s.report_id = e.id AND s.day = e.day
)"""

_COPIED = """day, city_code, county_code, town_code, grid_code, report_id, event_id, status, reported_at, updated_at,
           due_at, source, event_type, decided_by, confidence, model_version, text, ifNull(toString(lon), ''),
           ifNull(toString(lat), ''), severity, ifNull(satisfaction, 0), handler"""

# Rows of `reports` that equal no event in the columns that both tables have.
_COPIES = f"""
SELECT count() AS rows, uniqExact(source, report_id, day) AS distinct_states, countIf(altered) AS altered,
       groupArrayIf({{shown:UInt8}})(report_id, altered) AS altered_ids
FROM
(
    SELECT source, report_id, day, cityHash64({_COPIED}) NOT IN (
        SELECT cityHash64({_COPIED}) FROM events WHERE sipHash64(report_id) % {{slices:UInt32}} = {{slice:UInt32}}
    ) AS altered
    FROM reports WHERE sipHash64(report_id) % {{slices:UInt32}} = {{slice:UInt32}}
)"""  # noqa: S608  (a constant, no input)

_WRITING = "SELECT count() AS rows, countIf(phase = 'before') - countIf(phase = 'after') AS open FROM ledger"

Row = dict[str, Any]


def sliced(client: Client, sql: str, wrong: Callable[[Row], bool]) -> list[Row]:
    """The query's row for each slice; a slice that is `wrong` while the stream writes is read again."""
    rows = dicts(client, _ROWS, {})[0]["rows"]
    slices = max(-(-rows // _SLICE_ROWS), 1)
    scopes = ({"slices": slices, "slice": number, "shown": SHOWN} for number in range(slices))
    return [_read_quietly(client, sql, scope, wrong) for scope in scopes]


def _read_quietly(client: Client, sql: str, scope: Mapping[str, Any], wrong: Callable[[Row], bool]) -> Row:
    """The row of a slice: the first that is not `wrong`, or that was read while nothing was written."""
    row: Row = {}
    for attempt in range(_TRIES):
        before = dicts(client, _WRITING, {})[0]
        row = dicts(client, sql, scope)[0]
        after = dicts(client, _WRITING, {})[0]
        if not wrong(row) or (before == after and after["open"] == 0):
            break
        time.sleep(attempt)
    return row


def check_uniqueness(client: Client) -> Check:
    """No message is twice in `events FINAL`, over all days and cities; event_ids of several messages are named."""
    parts = sliced(client, _UNIQUE, lambda row: False)
    findings = [
        *_finding(parts, "twice", "fails", "事件重复计数", "event counted twice: on two days or in two cities"),
        *_finding(parts, "reused", "warns", "事件编号用于不同消息", "event_id used for different messages"),
    ]
    names = ("rows", "event_ids", "awaiting_merge", "twice")
    return Check("uniqueness", "没有事件计两次", "no event is counted twice", _sums(parts, names), merged(findings))


def check_reports(client: Client) -> Check:
    """Every report has one state, equal to its newest event, and its handling agrees with its events."""
    states = sliced(client, _STATES, lambda row: bool(row["missing"] or row["other"] or row["handling"]))
    copies = sliced(client, _COPIES, lambda row: bool(row["altered"] or row["rows"] != row["distinct_states"]))
    reports, rows = _sums(states, ("reports",))["reports"], _sums(copies, ("rows",))["rows"]
    findings = [
        *_finding(states, "missing", "fails", "上报缺状态", "report has events and no state"),
        *_finding(states, "other", "fails", "状态不是最新事件", "state is not the newest event"),
        *_finding(states, "handling", "fails", "办理情况与事件不符", "handling differs from the events"),
        *_finding(copies, "altered", "fails", "状态与其事件不同", "state differs from its event"),
        *_finding(states, "two_days", "warns", "同一上报有两个日期或城市", "report is on two days or in two cities"),
    ]
    doubled = sum(int(part["rows"] - part["distinct_states"]) for part in copies)
    if doubled:
        findings.append(ProofFinding("fails", "同一上报有多行状态", "report has more than one state", doubled))
    figures = {"events": _sums(states, ("events",))["events"], "reports_in_events": reports, "reports": rows}
    return Check("reports", "状态即最新事件", "each state is the newest event", figures, merged(findings))


def _sums(parts: list[Row], names: tuple[str, ...]) -> dict[str, int]:
    return {name: sum(int(part[name]) for part in parts) for name in names}


def _finding(parts: list[Row], name: str, state: Any, zh: str, en: str) -> list[ProofFinding]:
    count = sum(int(part[name]) for part in parts)
    ids = [example for part in parts for example in part[f"{name}_ids"]][:SHOWN]
    key = "event_id" if name in ("twice", "reused") else "report_id"
    return [ProofFinding(state, zh, en, count, tuple({key: example} for example in ids))] if count else []
