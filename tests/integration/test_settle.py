"""A replay that dies: what it sent is recorded, what it did not send waits again, and each message is counted once."""

import subprocess
import sys
import uuid
from datetime import UTC, datetime

from kafka import KafkaAdminClient, TopicPartition

from pipelines.quarantine.headers import headers as provenance
from pipelines.quarantine.journal import Journal
from pipelines.quarantine.message import RejectedMessage
from pipelines.quarantine.selection import Selection, pages
from pipelines.services.kafka import end_offsets, topic_id
from pipelines.services.publish import Publisher
from tests.support.proof import require_proof
from tests.support.quarantine import KNOWN, NEW_GRID, UNKNOWN, command, headers, job, report, run, send, states
from tests.support.stack import Stack, Streaming

# The command itself, killed at the call of one method.
_DYING = """
import os, sys
from infra.cli.app import build
from pipelines.quarantine.journal import Journal
from pipelines.services.publish import Publisher
owner, method = {"recording": (Journal, "sent"), "sending": (Publisher, "send")}[sys.argv[1]]
setattr(owner, method, lambda *_: os.kill(os.getpid(), 9))
build()(["quarantine", "replay", *sys.argv[2:]])
"""


def die_before(stack: Stack, what: str, *words: str) -> None:
    """Replay in a process that is killed before it begins `recording` or `sending`."""
    ended = subprocess.run([sys.executable, "-c", _DYING, what, *words], env=stack.environment(), check=False)
    assert ended.returncode == -9


def let_pass(stack: Stack, minutes: int) -> None:
    """Make all that was recorded so many minutes older."""
    older = f"ALTER TABLE quarantine_actions UPDATE at = at - INTERVAL {minutes} MINUTE WHERE true"
    stack.loader.command(older, settings={"mutations_sync": 1})


def test_a_replay_that_dies(stack: Stack, streaming: Streaming) -> None:
    with streaming():
        send(stack, *(report(i, grid_code=UNKNOWN) for i in range(8)))
        stack.loader.command(NEW_GRID, {"new": UNKNOWN, "old": KNOWN})
        die_before(stack, "recording", "--limit", "5")
        die_before(stack, "sending")
        stack.wait_until_loaded()
        assert states(stack) == {"replaying": 8}
        assert stack.scalar("SELECT count() FROM events") == 5
        assert [group["replaying"] for group in command(stack, "stats")["groups"]] == [8]
        assert command(stack, "replay")["done"] == command(stack, "discard")["discarded"] == 0

        early = command(stack, "settle")
        assert (early["recent"], early["replayed"], early["released"], states(stack)) == (8, 0, 0, {"replaying": 8})
        let_pass(stack, 11)
        tried = command(stack, "settle", "--dry-run")
        assert (tried["replayed"], tried["released"], states(stack)) == (5, 3, {"replaying": 8})
        assert "dry_run True, replayed 5, released 3" in job(stack, "settle_quarantine", "settle_claimed")
        settled = command(stack, "settle")
        assert (settled["replayed"], settled["released"], settled["unknown"]) == (5, 3, 0)
        assert states(stack) == {"replayed": 5, "waiting": 3}
        assert command(stack, "settle")["replayed"] == command(stack, "settle")["released"] == 0

        assert command(stack, "replay")["done"] == 3
        stack.wait_until_loaded()
        assert command(stack, "replay")["done"] == 0
    assert states(stack) == {"replayed": 8}
    assert stack.scalar("SELECT count() FROM events") == stack.scalar("SELECT uniqExact(event_id) FROM events") == 8
    assert [sent["gridstream-attempt"] for sent in headers(stack)] == [b"1"] * 8  # none was sent twice
    require_proof(stack)


def reject(stack: Stack, *offsets: int) -> list[RejectedMessage]:
    """Rows of quarantine for these offsets of partition 0, and what waits then."""
    columns = ("topic", "topic_id", "kafka_partition", "kafka_offset", "kafka_time", "stage", "reason", "reasons")
    of_topic = (stack.topic, topic_id(stack.bootstrap, stack.topic), 0)
    rows = [(*of_topic, offset, datetime.now(UTC), "judge", "unknown_grid", ["unknown_grid"]) for offset in offsets]
    stack.loader.insert("quarantine", rows, column_names=columns)
    stack.loader.command("SELECT sleep(0.01)")
    return [message for page in pages(stack.engineer, Selection(stack.topic)) for message in page]


def test_what_retention_has_passed_is_left(stack: Stack) -> None:
    sent, lost = reject(stack, 0, 1)
    assert Journal(stack.engineer, "", uuid.uuid4()).claim([sent, lost]) == [sent, lost]
    let_pass(stack, 60)
    with Publisher(stack.bootstrap, stack.topic) as publisher:
        for number in range(20):
            publisher.send(b"{}", str(number).encode())
        publisher.flush()
        ends = end_offsets(stack.bootstrap, stack.topic)
        publisher.send(b"{}", b"k", provenance(stack.topic, sent))
        (position,) = publisher.flush()
    admin = KafkaAdminClient(bootstrap_servers=stack.bootstrap)
    admin.delete_records({TopicPartition(stack.topic, number): end for number, end in ends.items()})
    admin.close()

    left = run(stack, "settle")
    assert (left.returncode, left.stderr) == (1, "")
    assert "Kafka's retention has deleted" in left.stdout
    assert f"0:0 → {position}" in left.stdout
    assert states(stack) == {"replayed": 1, "replaying": 1}
    given_up = command(stack, "settle", "--give-up")
    assert (given_up["given_up"], given_up["unknown"], given_up["messages_read"]) == (1, 0, 1)
    assert states(stack) == {"replayed": 1, "discarded": 1}
