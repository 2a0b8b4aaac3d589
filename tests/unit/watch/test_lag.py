"""The next offset to load, from the ledger and the gaps that were given up."""

from clickhouse_connect.driver.client import Client

from pipelines.watch.lag import ledger_figures, next_offsets

TOPIC = {"topic": "t", "topic_id": "id"}


def insert(client: Client, table: str, **row: object) -> None:
    values = TOPIC | row
    client.insert(table, [list(values.values())], column_names=list(values))


def loaded(client: Client, partition: int, first: int, last: int, phase: str = "after") -> None:
    count = last - first + 1 if phase == "after" else 0
    insert(
        client,
        "ledger",
        kafka_partition=partition,
        first_offset=first,
        last_offset=last,
        phase=phase,
        good=count,
        total_good=last + 1 if count else 0,
    )


def gap(client: Client, partition: int, first: int, last: int, accepted: int) -> None:
    insert(client, "gaps", kafka_partition=partition, first_offset=first, last_offset=last, accepted=accepted)


def test_a_partition_that_was_never_loaded_begins_where_kafka_does(migrated_database: Client) -> None:
    assert next_offsets(migrated_database, "id", {0: 0, 1: 70}) == {0: 0, 1: 70}


def test_only_finished_ranges_count(migrated_database: Client) -> None:
    loaded(migrated_database, 0, 0, 99)
    loaded(migrated_database, 0, 100, 199, phase="before")
    assert next_offsets(migrated_database, "id", {0: 0}) == {0: 100}


def test_messages_that_were_given_up_do_not_wait(migrated_database: Client) -> None:
    loaded(migrated_database, 0, 0, 99)
    gap(migrated_database, 0, 100, 1109, accepted=0)
    assert next_offsets(migrated_database, "id", {0: 1110}) == {0: 100}  # deleted, and nobody has read of it
    gap(migrated_database, 0, 100, 1109, accepted=1)
    assert next_offsets(migrated_database, "id", {0: 1110}) == {0: 1110}
    loaded(migrated_database, 0, 1110, 1199)
    assert next_offsets(migrated_database, "id", {0: 1110}) == {0: 1200}


def test_figures_of_a_topic_that_was_never_loaded(migrated_database: Client) -> None:
    assert ledger_figures(migrated_database, "id") is None
    loaded(migrated_database, 0, 0, 99)
    figures = ledger_figures(migrated_database, "id")
    assert figures is not None
    assert (figures.total, figures.hour_rows, figures.quarantine_rate) == (100, 100, 0.0)
