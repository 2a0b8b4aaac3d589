"""What may be sent again, by which policy, and what it carries."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from clickhouse_connect.driver.client import Client

from pipelines.intake.rules.columns import Context
from pipelines.places.grids import GridIndex, GridRow
from pipelines.quarantine.compute import page_query, reads_files
from pipelines.quarantine.headers import headers
from pipelines.quarantine.journal import Journal
from pipelines.quarantine.message import RejectedMessage
from pipelines.quarantine.read import listed, show
from pipelines.quarantine.rejudge import Rules, rejudge
from pipelines.quarantine.repair import Patch
from pipelines.quarantine.replay import Policy, ReplayRequest, discard, replay
from pipelines.quarantine.selection import Selection, pages
from pipelines.services.positions import Position
from tests.support.messages import encoded, message, records, rejected

GRID = GridRow("330203001001", "330203001", "330203", "330200", "Asia/Shanghai", date(2020, 1, 1), None)
RULES = Rules(Context(GridIndex.of([GRID]), frozenset({405, 999}), datetime(2026, 3, 5, tzinfo=UTC)))
_COLUMNS = [
    *("topic", "topic_id", "kafka_partition", "kafka_offset", "kafka_time", "stage", "reason", "reasons", "detail"),
    *("source", "grid_code", "payload", "payload_bytes"),
]


def waiting(payload: str, size: int | None = None) -> RejectedMessage:
    size = len(payload) if size is None else size
    return rejected(partition=3, offset=42, payload=payload, payload_bytes=size, attempts=1)


@pytest.mark.parametrize(
    ("payload", "size", "why"),
    [
        ('{"text":"a', 70_000, "cut"),
        ("}", 1, "not_json"),
        ("[]", 2, "not_json"),
        ("", 0, "not_json"),
        ("[" * 5000, 5000, "not_json"),
    ],
)
def test_what_cannot_be_sent_again(payload: str, size: int, why: str) -> None:
    (rejudged,) = rejudge([waiting(payload, size)], RULES)
    assert (rejudged.passes, rejudged.unfit) == (False, why)


def test_masking_shortens_and_lengthens() -> None:
    text = encoded(message(text="[手机号]"))
    assert text
    messages = [waiting(text.decode(), size) for size in (5, 5000)]
    assert [rejudged.passes for rejudged in rejudge(messages, RULES)] == [True, True]


def test_the_present_rules_judge_what_would_be_sent() -> None:
    values = [message(), message(severity=9), message(grid_code="330203001999"), message(schema_version=7)]
    results = list(rejudge([waiting(encoded(value).decode()) for value in values], RULES))  # type: ignore[union-attr]
    assert [rejudged.reasons for rejudged in results] == [(), ("bad_value",), ("unknown_grid",), ("unknown_version",)]
    assert [rejudged.kafka_key for rejudged in results] == [
        b"330203001001",
        b"330203001001",
        b"330203001999",
        b"330203001001",
    ]


def test_headers_hold_the_position_and_the_attempt() -> None:
    assert headers("t", waiting("{}")) == [
        ("gridstream-topic", b"t"),
        ("gridstream-partition", b"3"),
        ("gridstream-offset", b"42"),
        ("gridstream-attempt", b"2"),
    ]


def fill(client: Client, *values: Any) -> None:
    """Rejected messages at offsets 0, 1, …, one a second, as decode and judge refuse them."""
    table = records(*values)
    verdicts = RULES.verdicts([encoded(value) or b"" for value in values])
    rows = []
    for offset, (value, verdict) in enumerate(zip(table["value"].to_pylist(), verdicts, strict=True)):
        at, reasons = datetime(2026, 3, 1, 0, 0, offset, tzinfo=UTC), list(verdict.reasons) or ["unknown_grid"]
        where = ("t", "id", 0, offset, at, "decode", reasons[0], reasons, verdict.detail)
        rows.append((*where, "hotline" if offset % 2 else "wechat", "330203001001", value.decode(), len(value)))
    client.insert("quarantine", rows, column_names=_COLUMNS)
    client.command("SELECT sleep(0.01)")


@pytest.fixture
def mixed(migrated_database: Client) -> Client:
    """Two that pass by now, two that do not, one that is not JSON; in this order: good, bad, broken, good, bad."""
    fill(migrated_database, message(), message(severity=9), b"{", message(report_id="R2"), message(severity=7))
    return migrated_database


@pytest.mark.parametrize(
    ("policy", "done", "discarded", "skipped", "stopped"),
    [
        (Policy.SKIP, 2, 0, {"rejected": 2, "not_json": 1}, None),
        (Policy.STOP, 1, 0, {}, (0, 1)),
        (Policy.REINSERT, 4, 0, {"not_json": 1}, None),
        (Policy.DROP, 2, 3, {}, None),
    ],
)
def test_policies(
    mixed: Client, policy: Policy, done: int, discarded: int, skipped: dict[str, int], stopped: tuple[int, int] | None
) -> None:
    result = replay(mixed, None, ReplayRequest(Selection("t"), policy), RULES)
    assert (result.done, result.discarded, result.skipped) == (done, discarded, skipped)
    assert (result.stopped.position if result.stopped else None) == stopped
    assert mixed.command("SELECT count() FROM quarantine_actions") == 0  # nothing was sent, so nothing is recorded


def test_a_limit_counts_what_is_acted_upon(mixed: Client) -> None:
    assert replay(mixed, None, ReplayRequest(Selection("t", limit=2)), RULES).done == 2
    assert replay(mixed, None, ReplayRequest(Selection("t", limit=1), Policy.DROP), RULES).discarded == 0
    assert replay(mixed, None, ReplayRequest(Selection("t", limit=2), Policy.DROP), RULES).discarded == 1


def test_selecting(mixed: Client) -> None:
    def offsets(**criteria: Any) -> list[int]:
        return [message.offset for page in pages(mixed, Selection("t", **criteria), size=2) for message in page]

    assert offsets() == [0, 1, 2, 3, 4]
    assert offsets(reason="bad_value") == offsets(rule="bad_value:severity") == [1, 4]
    assert offsets(rule="bad_value:text") == offsets(reason="empty") == []
    assert offsets(source="hotline") == [1, 3]
    assert offsets(since=datetime(2026, 3, 1, 0, 0, 3, tzinfo=UTC)) == [3, 4]
    assert offsets(until=datetime(2026, 3, 1, 0, 0, 1, tzinfo=UTC)) == [0]


def test_a_repair_is_judged_before_it_is_sent(mixed: Client) -> None:
    selection = Selection("t", reason="bad_value")
    repair = Patch(({"op": "replace", "path": "/severity", "value": 4},))
    result = replay(mixed, None, ReplayRequest(selection, repair=repair, samples=1), RULES)
    assert (result.looked_at, result.passing, result.still) == (2, 2, {})
    (sample,) = result.samples
    assert (sample.position, sample.changes) == ((0, 1), ['-  "severity": 9', '+  "severity": 4'])
    patch = Patch(({"op": "remove", "path": "/due_at"},))
    result = replay(mixed, None, ReplayRequest(selection, repair=patch), RULES)
    assert (result.passing, result.skipped) == (0, {"not_applied": 2})


def test_a_discarded_message_does_not_wait(mixed: Client) -> None:
    assert discard(mixed, Selection("t", reason="bad_value"), dry_run=True).discarded == 2
    assert discard(mixed, Selection("t", reason="bad_value")).discarded == 2
    assert discard(mixed, Selection("t", reason="bad_value")).discarded == 0
    assert discard(mixed, Selection("t", limit=1)).discarded == 1
    assert sum(map(len, pages(mixed, Selection("t")))) == 2


def test_of_two_runs_the_first_to_claim_sends(mixed: Client) -> None:
    (messages,) = pages(mixed, Selection("t"))
    first, second = Journal(mixed), Journal(mixed)
    assert first.claim(messages[:2]) == messages[:2]
    mixed.command("SELECT sleep(0.01)")
    assert second.claim(messages[1:4]) == messages[2:4]
    first.sent(messages[:2], [Position(0, 7), Position(0, 8)])
    states = "SELECT state, count() FROM quarantine_states GROUP BY state ORDER BY state"
    assert mixed.query(states).result_rows == [("replayed", 2), ("replaying", 2), ("waiting", 1)]


def test_a_repair_is_recorded(mixed: Client) -> None:
    journal = Journal(mixed, "severity = 2", uuid4())
    ((first, *_),) = pages(mixed, Selection("t"))
    journal.sent(journal.claim([first]), [Position(0, 7)])
    states = mixed.query("SELECT state, fix FROM quarantine_states WHERE kafka_offset = 0").result_rows
    assert states == [("fixed", "severity = 2")]


def test_a_page_holds_the_rows_that_are_listed(mixed: Client) -> None:
    """All columns, although some of their names are fields of the payload as well."""
    (page,) = pages(mixed, Selection("t"))
    rows = sorted(listed(mixed, "t"), key=lambda message: message.offset)
    assert [msgspec.structs.replace(message, computed=()) for message in page] == rows
    assert show(mixed, "t", Position(0, 2)) == rows[2]


def test_attempts_follow_a_message_to_its_new_position(mixed: Client) -> None:
    (messages,) = pages(mixed, Selection("t"))
    journal = Journal(mixed)
    journal.sent(journal.claim(messages[:1]), [Position(0, 4)])
    assert [message.attempts for message in listed(mixed, "t")] == [1, 0, 0, 0, 0]
    assert [message.attempts for page in pages(mixed, Selection("t")) for message in page] == [0, 0, 0, 1]


@pytest.mark.parametrize(
    ("expression", "reads"),
    [
        ("file('/etc/hostname')", True),
        ("`fi\\x6ce`('/etc/hostname')", True),
        ("arrayMap(file, ['/etc/hostname'])", True),
        ("arrayMap(name -> \"file\"(name), ['/etc/hostname'])", True),
        ("(SELECT * APPLY(file) FROM (SELECT '/etc/hostname'))", True),
        ("'file(1)'", False),
        ("concat(text, ' Function file')", False),
        ("toUInt8(severity) - 5", False),
    ],
)
def test_an_expression_that_reads_files_is_detected(migrated_database: Client, expression: str, reads: bool) -> None:
    assert reads_files(migrated_database, page_query("page", [expression])) == reads
