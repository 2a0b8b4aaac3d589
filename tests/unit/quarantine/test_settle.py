"""What becomes of claims that a dead run left, by the contents of the topic and the ledger."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from clickhouse_connect.driver.client import Client

from pipelines.quarantine.headers import Origin, headers, origin
from pipelines.quarantine.journal import Journal
from pipelines.quarantine.message import Claim, RejectedMessage
from pipelines.quarantine.replay import HANDOVER, discard
from pipelines.quarantine.scan import Scan
from pipelines.quarantine.selection import Selection, pages
from pipelines.quarantine.settle import SAFE_AGE, decide, first_offsets, open_claims, record
from pipelines.services.positions import Position
from pipelines.services.publish import PublisherOptions
from tests.support.messages import rejected as rejected_message

AT = 1_000_000  # ms: the time of the claims
_COLUMNS = ("topic", "topic_id", "kafka_partition", "kafka_offset", "kafka_time", "stage", "reason", "reasons")


def claim_at(offset: int, topic_id: str = "id", namesake: bool = False) -> Claim:
    run = uuid4()
    return Claim(topic_id, 0, offset, 1, AT, 900, run, "", [run], namesake)


def seen(replayed: Mapping[int, Sequence[Position]] | None = None, **beginnings: int) -> Scan:
    """A scan that found the claims at these offsets at these positions; `p0=7`: partition 0 begins at offset 7."""
    positions = {Origin(0, offset, 1): found_at for offset, found_at in (replayed or {}).items()}
    firsts = {int(name.removeprefix("p")): first for name, first in beginnings.items()}
    return Scan(positions, {0: 0, 1: 0} | firsts)


def test_no_run_still_sends_at_the_safe_age() -> None:
    assert HANDOVER + PublisherOptions().delivery_timeout_ms / 1000 + 120 < SAFE_AGE


def test_headers_are_read_back_as_the_origin() -> None:
    message = rejected_message(partition=3, offset=42, payload="{}", attempts=1)
    assert origin(headers("t", message), "t") == Origin(3, 42, 2)
    assert origin(headers("other", message), "t") is None
    assert origin([], "t") is None
    assert origin([*headers("t", message)[:3], ("gridstream-attempt", b"x")], "t") is None
    assert origin([*headers("t", message)[:3], ("gridstream-attempt", None)], "t") is None


def test_found_is_replayed_and_missing_is_released() -> None:
    sent, other = claim_at(5), claim_at(6)
    settled = decide([sent, other], "id", {AT: {0: 10, 1: 20}}, seen({5: [Position(1, 20)]}, p0=10, p1=20))
    assert (settled.replayed, settled.released, settled.unknown) == ([(sent, (1, 20))], [other], [])


def test_a_message_older_than_the_claim_is_of_another_run() -> None:
    settled = decide([claim_at(5)], "id", {AT: {1: 20}}, seen({5: [Position(1, 19)]}))
    assert (len(settled.replayed), len(settled.released)) == (0, 1)


def test_what_retention_has_passed_is_not_guessed() -> None:
    found, missing = claim_at(5), claim_at(6)
    settled = decide([found, missing], "id", {AT: {0: 10, 1: 20}}, seen({5: [Position(0, 30)]}, p1=21))
    assert (settled.replayed, settled.released) == ([(found, (0, 30))], [])
    assert settled.unknown == [(missing, "retention")]


@pytest.mark.parametrize(
    ("claim", "positions", "replayed", "why"),
    [
        (claim_at(5, "earlier"), {}, 0, {"topic_recreated": 1}),
        (claim_at(5, "earlier"), {5: [Position(0, 1)]}, 1, {}),
        (claim_at(5, namesake=True), {5: [Position(0, 1)]}, 0, {"namesake": 1}),
    ],
)
def test_a_recreated_topic(claim: Claim, positions: Any, replayed: int, why: dict[str, int]) -> None:
    settled = decide([claim], "id", {AT: {}}, seen(positions))
    assert (len(settled.replayed), settled.released, settled.why_unknown) == (replayed, [], why)


@pytest.fixture
def rejected(migrated_database: Client) -> Client:
    """Four waiting messages, at offsets 0 to 3."""
    fill(migrated_database, "id", range(4))
    return migrated_database


def fill(client: Client, topic_id: str, offsets: Sequence[int]) -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    rows = [("t", topic_id, 0, offset, at, "judge", "unknown_grid", ["unknown_grid"]) for offset in offsets]
    client.insert("quarantine", rows, column_names=_COLUMNS)
    client.command("SELECT sleep(0.01)")


def waiting(client: Client) -> list[RejectedMessage]:
    return [message for page in pages(client, Selection("t")) for message in page]


def states(client: Client) -> dict[int, str]:
    return dict(client.query("SELECT kafka_offset, state FROM quarantine_states ORDER BY kafka_offset").result_rows)


def grow_old(client: Client, topic_id: str = "id", minutes: int = 20) -> None:
    """Record a claim as `Journal.claim` does, but with an earlier time."""
    run, at = uuid4(), datetime.now(UTC) - timedelta(minutes=minutes)
    rows = [(topic_id, 0, 1, "replaying", 1, at, run, "severity = 2")]
    columns = ("topic_id", "kafka_partition", "kafka_offset", "action", "attempt", "at", "run", "fix")
    client.insert("quarantine_actions", rows, column_names=columns)


def test_only_claims_are_open_claims(rejected: Client) -> None:
    messages = waiting(rejected)
    journal = Journal(rejected)
    journal.sent(journal.claim(messages[:1]), [Position(0, 9)])
    grow_old(rejected)
    Journal(rejected).claim(messages[2:3])
    old, young = open_claims(rejected, "t")
    assert (old.offset, old.attempt, old.fix, old.runs, old.namesake) == (1, 1, "severity = 2", [old.run], False)
    assert (1190 < old.age < 1210, young.offset, young.age < 60) == (True, 2, True)
    assert open_claims(rejected, "other") == []


def test_the_same_position_in_two_topics_of_one_name(rejected: Client) -> None:
    fill(rejected, "earlier", [1])
    grow_old(rejected)
    assert [claim.namesake for claim in open_claims(rejected, "t")] == [False]
    grow_old(rejected, "earlier")
    assert [claim.namesake for claim in open_claims(rejected, "t")] == [True, True]


def test_settling_is_recorded_once(rejected: Client) -> None:
    journal = Journal(rejected, "severity = 2")
    journal.claim(waiting(rejected)[:3])
    claimed = open_claims(rejected, "t")
    starts = {claim.millis: {0: 4} for claim in claimed}
    settled = decide(claimed, "id", starts, seen({0: [Position(1, 7)]}, p0=4))
    record(rejected, settled)
    assert states(rejected) == {0: "fixed", 1: "waiting", 2: "waiting", 3: "waiting"}
    assert open_claims(rejected, "t") == []
    sent = "SELECT sent_partition, sent_offset, run FROM quarantine_actions WHERE action = 'replayed'"
    assert rejected.query(sent).result_rows == [(1, 7, journal.run)]
    record(rejected, settled)  # a second one at the same time
    assert states(rejected) == {0: "fixed", 1: "waiting", 2: "waiting", 3: "waiting"}


def test_what_was_released_is_taken_again(rejected: Client) -> None:
    Journal(rejected).claim(waiting(rejected)[:1])
    assert [message.offset for message in waiting(rejected)] == [1, 2, 3]
    (claim,) = open_claims(rejected, "t")
    settled = decide([claim], "id", {claim.millis: {}}, seen())
    record(rejected, settled)
    message = waiting(rejected)[0]
    assert (message.offset, message.attempts) == (0, 0)
    again = Journal(rejected)
    assert again.claim([message]) == [message]
    record(rejected, settled)  # it ends the first claim, not this one
    assert states(rejected)[0] == "replaying"
    again.sent([message], [Position(0, 9)])
    assert states(rejected)[0] == "replayed"
    assert discard(rejected, Selection("t")).discarded == 3


@pytest.mark.parametrize(("give_up", "state"), [(False, "replaying"), (True, "discarded")])
def test_unknown_deliveries_are_given_up_on_order(rejected: Client, give_up: bool, state: str) -> None:
    Journal(rejected).claim(waiting(rejected)[:1])
    (claim,) = open_claims(rejected, "t")
    settled = decide([claim], "id", {claim.millis: {}}, seen(p0=1))
    settled.given_up = give_up
    record(rejected, settled)
    assert states(rejected) == {0: state, 1: "waiting", 2: "waiting", 3: "waiting"}


def test_discarding_and_replaying_exclude_each_other(rejected: Client) -> None:
    both = waiting(rejected)[:2]
    replaying, discarding = Journal(rejected), Journal(rejected)
    assert replaying.claim(both[:1]) == both[:1]
    won = discarding.claim(both)
    assert won == both[1:]
    discarding.discarded(won)
    assert replaying.claim(both[1:]) == []
    assert states(rejected) == {0: "replaying", 1: "discarded", 2: "waiting", 3: "waiting"}
    assert [claim.run for claim in open_claims(rejected, "t")] == [
        replaying.run
    ]  # the run that gave way claims nothing


def test_a_run_that_meets_another_claim_gives_way(rejected: Client) -> None:
    grow_old(rejected, minutes=-1)  # written already, with a later time by its clock
    assert Journal(rejected).claim(waiting_all(rejected)[1:2]) == []
    assert len(open_claims(rejected, "t")[0].runs) == 1


def waiting_all(client: Client) -> list[RejectedMessage]:
    """The page of a run that read it before the other claim."""
    rows = client.query("SELECT kafka_offset FROM quarantine ORDER BY kafka_offset").result_rows
    return [rejected_message(offset=offset) for (offset,) in rows]


def test_what_is_sent_later_has_a_larger_offset_than_what_was_loaded(migrated_database: Client) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    rows = [
        ("t", topic_id, partition, first, last, phase, now - timedelta(minutes=minutes))
        for topic_id, partition, first, last, phase, minutes in [
            ("id", 0, 0, 99, "after", 60),
            ("id", 0, 100, 199, "after", 30),
            ("id", 0, 200, 299, "before", 30),
            ("id", 1, 0, 49, "after", 5),
            ("other", 0, 0, 5000, "after", 60),
        ]
    ]
    columns = ("topic", "topic_id", "kafka_partition", "first_offset", "last_offset", "phase", "written_at")
    migrated_database.insert("ledger", rows, column_names=columns)
    hour, half, present, long_ago = (int((now.timestamp() - 60 * minutes) * 1000) for minutes in (45, 30, 0, 600))
    assert first_offsets(migrated_database, "id", [hour, half, present, long_ago]) == {
        hour: {0: 100},
        half: {0: 100},  # within the minute
        present: {0: 200, 1: 50},
        long_ago: {},
    }


def test_records_of_old_versions_are_read_alike(rejected: Client) -> None:
    """Before runs were recorded, all rows had the same empty run."""
    columns = ("topic_id", "kafka_partition", "kafka_offset", "action", "attempt")
    rows = [("id", 0, 0, "replaying", 1), ("id", 0, 0, "replayed", 1), ("id", 0, 1, "replaying", 1)]
    rejected.insert("quarantine_actions", [*rows, ("id", 0, 2, "discarded", 0)], column_names=columns)
    assert states(rejected) == {0: "replayed", 1: "replaying", 2: "discarded", 3: "waiting"}
    (claim,) = open_claims(rejected, "t")
    assert (claim.offset, claim.runs) == (1, [UUID(int=0)])
    record(rejected, decide([claim], "id", {claim.millis: {}}, seen()))
    assert states(rejected)[1] == "waiting"
