"""A small topic and what a faultless load of it leaves in ClickHouse, written by hand so that tests can spoil it.

Partition 0 holds offsets 0..9 in ranges 0..4 and 5..9: eight events of four reports, one rejected message
(offset 6), and one resend (offset 8 is the message of offset 1 again). Partition 1 holds five events in one range.
"""

import hmac
import json
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from clickhouse_connect.driver.client import Client
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic
from kafka.errors import TopicAlreadyExistsError

from pipelines.verify import VerifyReport

DAY = date(2026, 11, 20)
MORNING = datetime(2026, 11, 20, 0, 0, tzinfo=UTC)  # 08:00 in Ningbo
REJECTED, RESEND = 6, 8
RANGES = ((0, 0, 4, 5, 0, 0), (0, 5, 9, 3, 1, 1), (1, 0, 4, 5, 0, 0))  # first, last, good, quarantined, duplicates
STEPS = ("reported", "accepted", "resolved", "reopened", "closed")

Row = dict[str, Any]
HASH_KEY = b"key of the tests"


@dataclass
class World:
    """What is in Kafka, and the rows to be written; change the lists, then call `write`."""

    client: Client
    bootstrap: str
    topic: str
    topic_id: str = ""
    messages: dict[int, list[bytes]] = field(default_factory=dict)
    events: list[Row] = field(default_factory=list)
    quarantine: list[Row] = field(default_factory=list)
    ledger: list[Row] = field(default_factory=list)

    def produce(self, partition: int, *values: bytes) -> None:
        """Append messages to the topic."""
        producer = KafkaProducer(bootstrap_servers=self.bootstrap, acks="all")
        for value in values:
            producer.send(self.topic, value, partition=partition)
        producer.flush()
        producer.close()

    def write(self) -> None:
        """Insert all rows, each event on its own: rows of one insert would be merged at once."""
        for row in self.events:
            insert(self.client, "events", row)
        insert(self.client, "quarantine", *self.quarantine)
        insert(self.client, "ledger", *self.ledger)

    def event(self, partition: int, offset: int) -> Row:
        """The row of `events` that stands there."""
        return next(r for r in self.events if (r["kafka_partition"], r["kafka_offset"]) == (partition, offset))

    def ranges(self, partition: int, first: int, phase: str = "after") -> Row:
        """The ledger row of that range."""
        wanted = (partition, first, phase)
        return next(r for r in self.ledger if (r["kafka_partition"], r["first_offset"], r["phase"]) == wanted)


def insert(client: Client, table: str, *rows: Row) -> None:
    """Insert as if by a retry whose deduplication failed: equal blocks are not recognised."""
    by_columns: dict[tuple[str, ...], list[list[Any]]] = {}
    for row in rows:
        by_columns.setdefault(tuple(row), []).append(list(row.values()))
    for columns, values in by_columns.items():
        token = str(uuid.uuid4())
        client.insert(table, values, column_names=columns, settings={"insert_deduplication_token": token})


def make_world(client: Client, bootstrap: str, topic: str) -> World:
    """Fill the topic, and prepare the rows of a faultless load; nothing is in ClickHouse yet."""
    world = World(client, bootstrap, topic)
    documents = {0: [document(i // 3, i % 3) for i in range(10)], 1: [document(10, i) for i in range(5)]}
    world.messages = {p: [json.dumps(d, ensure_ascii=False).encode() for d in ds] for p, ds in documents.items()}
    world.messages[0][REJECTED] = b"{not json"
    world.messages[0][RESEND] = world.messages[0][1]
    world.topic_id = create_topic(bootstrap, topic)
    for partition, values in world.messages.items():
        world.produce(partition, *values)
    for partition, contents in documents.items():
        for offset, content in enumerate(contents):
            if partition == 1 or offset not in (REJECTED, RESEND):
                world.events.append(event_row(world, content, partition, offset))
    world.quarantine.append(quarantine_row(world, 0, REJECTED))
    for partition, first, last, *counts in RANGES:
        world.ledger.append(ledger_row(world, partition, first, last, "before"))
        figures = dict(zip(("good", "quarantined", "duplicates"), counts, strict=True))
        world.ledger.append(ledger_row(world, partition, first, last, "after", **figures))
    return world


def create_topic(bootstrap: str, topic: str) -> str:
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    with suppress(TopicAlreadyExistsError):
        admin.create_topics([NewTopic(name=topic, num_partitions=2, replication_factor=1)])
    topic_id = str(admin.describe_topics([topic])[0]["topic_id"])
    admin.close()
    return topic_id


def document(report: int, step: int) -> Row:
    """A message of report `report`; its time grows with `step`."""
    return {
        "schema_version": 1,
        "event_id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{report}/{step}")),
        "report_id": f"R{report}",
        "status": STEPS[step],
        "reported_at": MORNING.isoformat(),
        "updated_at": (MORNING + timedelta(hours=step)).isoformat(),
        "grid_code": "330203001001",
        "source": "grid_app",
        "text": "路灯不亮",
        "severity": 2,
    }


def event_row(world: World, content: Row, partition: int, offset: int) -> Row:
    return {
        "day": DAY,
        "city_code": "330200",
        "county_code": "330203",
        "town_code": "330203001",
        "grid_code": content["grid_code"],
        "event_id": uuid.UUID(content["event_id"]),
        "report_id": content["report_id"],
        "status": content["status"],
        "reported_at": datetime.fromisoformat(content["reported_at"]),
        "updated_at": datetime.fromisoformat(content["updated_at"]),
        "due_at": MORNING + timedelta(hours=3),
        "source": content["source"],
        "event_type": 201,
        "decided_by": "model",
        "confidence": 0.9,
        "text": content["text"],
        "severity": content["severity"],
        "content": content_hash(content),
        **place(world, partition, offset),
    }


def quarantine_row(world: World, partition: int, offset: int) -> Row:
    value = world.messages[partition][offset]
    return {
        **place(world, partition, offset),
        "kafka_time": MORNING,
        "stage": "decode",
        "reason": "not_json",
        "reasons": ["not_json"],
        "payload": value.decode(),
        "payload_bytes": len(value),
        "payload_sha256": keyed_hash(value),
    }


def keyed_hash(value: bytes) -> str:
    """As `quarantine` stores it: the first digits of the HMAC, after 8 that name the key."""
    digests = [hmac.new(HASH_KEY, content, "sha256").hexdigest() for content in (b"gridstream key id", value)]
    return digests[0][:8] + digests[1][:56]


def content_hash(content: Row) -> int:
    """As `events` stores it: 16 bits that name the key, then 48 of the HMAC of the JSON with sorted keys."""
    values = (
        b"gridstream key id",
        json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode(),
    )
    digests = [hmac.digest(HASH_KEY, value, "sha256") for value in values]
    return int.from_bytes(digests[0][:2] + digests[1][:6])


def place(world: World, partition: int, offset: int) -> Row:
    return {"topic": world.topic, "topic_id": world.topic_id, "kafka_partition": partition, "kafka_offset": offset}


def ledger_row(world: World, partition: int, first: int, last: int, phase: str, **counts: Any) -> Row:
    return {
        "topic": world.topic,
        "topic_id": world.topic_id,
        "kafka_partition": partition,
        "first_offset": first,
        "last_offset": last,
        "phase": phase,
        "good": 0,
        "quarantined": 0,
        "duplicates": 0,
        "epoch": 1,
        "writer": 1,
        "batch_id": 0,
        "token": f"1:{world.topic_id}:{partition}:{first}-{last}",
        "written_at": datetime.now(UTC),
    } | counts


def states(report: VerifyReport) -> dict[str, str]:
    return {check.name: check.state for check in report.checks}


def findings(report: VerifyReport) -> set[tuple[str, str, str]]:
    return {(check.name, finding.state, finding.en) for check in report.checks for finding in check.findings}
