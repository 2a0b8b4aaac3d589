"""`verify` against a real Kafka and ClickHouse: it holds for a correct load, and names each fault put in."""

import copy
import json
from collections.abc import Callable
from datetime import date

import pytest
from kafka import KafkaAdminClient, TopicPartition

from infra.cli.data.verify import FIGURES
from pipelines.verify import VerifyReport
from tests.support.world import (
    RESEND,
    World,
    document,
    event_row,
    findings,
    keyed_hash,
    ledger_row,
    quarantine_row,
    states,
)


def test_a_faultless_load_holds(world: World, check: Callable[..., VerifyReport]) -> None:
    world.write()
    report = check()
    assert findings(report) == set()
    assert report.holds
    expected = {"read": 15, "accepted": 13, "rejected": 1, "resends": 1, "lost": 0, "lag": 0}
    assert expected.items() <= report.check("completeness").figures.items()
    assert report.check("counts").figures["merged_away"] == 0
    assert report.check("ledger").figures["offsets"] == 15
    assert report.check("reports").figures["reports"] == 5


def test_every_figure_has_a_name_for_people(world: World, check: Callable[..., VerifyReport]) -> None:
    world.write()
    assert {name for part in check().checks for name in part.figures} == set(FIGURES)


def test_small_windows_see_the_same(world: World, check: Callable[..., VerifyReport]) -> None:
    lose_an_event(world)
    world.write()
    whole, pieces = check().document()["checks"], check(window=2).document()["checks"]
    assert pieces == whole
    assert whole[2]["state"] == "fails"


@pytest.mark.parametrize("before", ["0" * 64, "f" * 64])  # removed by a migration; made with another key
def test_a_hash_that_cannot_be_checked_proves_nothing(
    world: World, check: Callable[..., VerifyReport], before: str
) -> None:
    world.quarantine[0]["payload_sha256"] = before
    world.write()
    report = check()
    assert report.holds
    assert report.check("completeness").figures["by_length"] == 1


def test_a_content_of_another_key_proves_nothing(world: World, check: Callable[..., VerifyReport]) -> None:
    world.event(0, 1)["content"] = 0
    world.write()
    report = check()
    assert report.holds
    assert report.check("completeness").figures["by_id"] == 1


def test_two_messages_under_one_event_id_are_named(world: World, check: Callable[..., VerifyReport]) -> None:
    other = document(30, 0) | {"event_id": document(10, 4)["event_id"]}
    world.produce(1, json.dumps(other, ensure_ascii=False).encode())
    world.events.append(event_row(world, other, 1, 5))
    world.ledger += [ledger_row(world, 1, 5, 5, "before"), ledger_row(world, 1, 5, 5, "after", good=1)]
    world.write()
    report = check()
    assert report.holds
    assert findings(report) == {("uniqueness", "warns", "event_id used for different messages")}
    assert report.check("uniqueness").findings[0].examples == ({"event_id": other["event_id"]},)
    assert report.check("reports").figures["reports"] == 6


Spoil = Callable[[World], None]


def lose_an_event(world: World) -> None:
    world.events.remove(world.event(1, 3))


def lose_a_rejected_message(world: World) -> None:
    world.quarantine.clear()


def double_a_row(world: World) -> None:
    world.events.append(copy.deepcopy(world.event(0, 2)))


def cut_a_gap(world: World) -> None:
    world.ledger.remove(world.ranges(0, 0))
    world.ledger.append(ledger_row(world, 0, 0, 3, "after", good=4))


def overlap_two_ranges(world: World) -> None:
    world.ranges(0, 5).update(first_offset=4, good=4)


def start_late(world: World) -> None:
    world.ledger = [row for row in world.ledger if row["kafka_partition"] == 1 or row["first_offset"] == 5]


def miscount_a_range(world: World) -> None:
    world.ranges(0, 5).update(good=4)


def count_a_reject_as_good(world: World) -> None:
    world.ranges(0, 5).update(good=4, quarantined=0)


def count_good_as_a_resend(world: World) -> None:
    world.ranges(0, 0).update(good=4, duplicates=1)


def record_other_figures(world: World) -> None:
    world.ledger.append({**world.ranges(0, 0), "good": 4, "duplicates": 1})


def put_a_message_in_both(world: World) -> None:
    world.quarantine.append(quarantine_row(world, 0, 3))


def swap_two_events(world: World) -> None:
    first, second = world.event(1, 0), world.event(1, 1)
    first["kafka_offset"], second["kafka_offset"] = 1, 0


def quarantine_other_bytes(world: World) -> None:
    world.quarantine[0]["payload_sha256"] = keyed_hash(b"!not json")


def quarantine_other_length(world: World) -> None:
    world.quarantine[0] |= {"payload_sha256": "0" * 64, "payload_bytes": 1}


def date_an_event_twice(world: World) -> None:
    world.events.append(event_row(world, document(0, 1), 0, RESEND) | {"day": date(2026, 11, 21)})


def write_beyond_the_ledger(world: World) -> None:
    world.events.append(event_row(world, document(20, 0), 1, 5))


def write_for_an_unknown_topic(world: World) -> None:
    world.events.append(event_row(world, document(20, 0), 1, 5) | {"topic_id": "another"})


def claim_more_than_kafka_has(world: World) -> None:
    world.ledger.append(ledger_row(world, 1, 5, 6, "after", good=2))


def drop_another_message(world: World) -> None:
    """Offset 8 holds another report under the event_id of offset 1, and is dropped like a resend."""
    world.event(0, 1)["content"] ^= 1


FAULTS: list[tuple[Spoil, str, str]] = [
    (lose_an_event, "completeness", "LOST: in neither table, event_id nowhere"),
    (lose_a_rejected_message, "completeness", "LOST: in neither table, event_id nowhere"),
    (lose_a_rejected_message, "counts", "rows in quarantine contradict the ledger"),
    (drop_another_message, "completeness", "LOST: another message has its event_id"),
    (double_a_row, "counts", "one offset was inserted more than once"),
    (cut_a_gap, "ledger", "gap: offsets between two ranges are in none"),
    (overlap_two_ranges, "ledger", "overlap: offsets are in two ranges"),
    (start_late, "ledger", "Kafka still has offsets before the first range"),
    (miscount_a_range, "ledger", "range does not add up: last-first+1 is not good+quarantined+duplicates"),
    (count_a_reject_as_good, "counts", "rows in quarantine contradict the ledger"),
    (count_good_as_a_resend, "counts", "rows in events contradict the ledger"),
    (record_other_figures, "ledger", "one range was recorded with different figures"),
    (put_a_message_in_both, "counts", "one offset is in events and in quarantine"),
    (swap_two_events, "completeness", "event differs from the message"),
    (quarantine_other_bytes, "completeness", "quarantine row differs from the message"),
    (quarantine_other_length, "completeness", "quarantine row differs from the message"),
    (date_an_event_twice, "uniqueness", "event counted twice: on two days or in two cities"),
    (write_beyond_the_ledger, "counts", "row is in no range of the ledger"),
    (write_for_an_unknown_topic, "counts", "row is in no range of the ledger"),
    (claim_more_than_kafka_has, "completeness", "the ledger is ahead of Kafka's end"),
]


@pytest.mark.parametrize(("spoil", "name", "en"), FAULTS, ids=[f"{spoil.__name__}-{name}" for spoil, name, _ in FAULTS])
def test_a_fault_is_named(world: World, check: Callable[..., VerifyReport], spoil: Spoil, name: str, en: str) -> None:
    spoil(world)
    world.write()
    report = check()
    assert not report.holds
    assert (name, "fails", en) in findings(report)


def test_a_lost_message_is_named_by_its_position(world: World, check: Callable[..., VerifyReport]) -> None:
    lose_an_event(world)
    world.write()
    (finding,) = check().check("completeness").findings
    assert (finding.count, finding.examples) == (1, ({"partition": 1, "offset": 3},))


def test_quick_cannot_tell_lost_from_merged_and_says_so(world: World, check: Callable[..., VerifyReport]) -> None:
    lose_an_event(world)
    world.write()
    report = check(quick=True)
    assert ("counts", "warns", "rows merged away were not proven by reading Kafka") in findings(report)
    assert report.check("completeness").skipped


def test_resends_may_merge(world: World, check: Callable[..., VerifyReport]) -> None:
    """A resend in a later range is inserted; merging then leaves one of the two rows."""
    world.events.append(event_row(world, document(0, 1), 0, RESEND))
    world.ranges(0, 5).update(good=4, duplicates=0)
    world.write()
    before = check()
    world.client.command("SYSTEM START MERGES events")
    world.client.command("OPTIMIZE TABLE events FINAL")
    after = check()
    assert (before.holds, after.holds) == (True, True)
    assert [r.check("uniqueness").figures["awaiting_merge"] for r in (before, after)] == [1, 0]
    assert [r.check("counts").figures["merged_away"] for r in (before, after)] == [0, 1]


def test_a_range_recorded_twice_counts_once(world: World, check: Callable[..., VerifyReport]) -> None:
    world.ledger.append({**world.ranges(0, 0), "batch_id": 7, "writer": 2})
    world.write()
    report = check()
    assert report.holds
    assert report.check("ledger").figures["recorded_again"] == 1
    assert report.check("ledger").figures["good"] == 13


def test_what_is_in_flight_is_no_fault(world: World, check: Callable[..., VerifyReport]) -> None:
    """A range begun accounts for its rows; only when it is old it is worth a warning."""
    world.produce(1, json.dumps(document(20, 0)).encode(), b"later")
    world.events.append(event_row(world, document(20, 0), 1, 5))
    world.ledger.append(ledger_row(world, 1, 5, 5, "before"))
    world.write()
    fresh, old = check(), check(patience=-1)
    assert findings(fresh) == set()
    assert fresh.check("completeness").figures["lag"] == 2
    assert old.holds
    assert states(old)["ledger"] == "warns"


def test_offsets_past_retention_are_left_to_the_ledger(world: World, check: Callable[..., VerifyReport]) -> None:
    world.write()
    admin = KafkaAdminClient(bootstrap_servers=world.bootstrap)
    admin.delete_records({TopicPartition(world.topic, 0): 7})
    admin.close()
    report = check()
    assert report.holds
    assert report.check("completeness").figures["by_ledger_only"] == 7
    assert report.check("completeness").figures["read"] == 8


def test_a_load_that_began_after_retention_is_a_warning(world: World, check: Callable[..., VerifyReport]) -> None:
    start_late(world)
    world.events = [row for row in world.events if row["kafka_partition"] == 1 or row["kafka_offset"] >= 5]
    world.write()
    admin = KafkaAdminClient(bootstrap_servers=world.bootstrap)
    admin.delete_records({TopicPartition(world.topic, 0): 5})
    admin.close()
    report = check()
    assert ("ledger", "warns", "the load began after retention had passed the first offsets") in findings(report)
    # Offset 8 is a resend of offset 1, which was never loaded: its event_id is nowhere.
    assert ("completeness", "fails", "LOST: in neither table, event_id nowhere") in findings(report)


def test_a_second_epoch_may_double_rows_until_they_merge(world: World, check: Callable[..., VerifyReport]) -> None:
    world.events += copy.deepcopy(world.events)
    world.ledger += [{**row, "epoch": 2, "writer": 2} for row in world.ledger]
    world.write()
    report = check()
    assert report.holds
    assert report.check("uniqueness").figures["awaiting_merge"] == 13
