"""The rights of each ClickHouse user: of the embedded server, and of a cluster.

Grants may name tables that no migration has created yet. `{database}` is the name of the database.
Other databases whose names begin with it (tests, rehearsals) are open to engineer and loader only.
"""

# Engines of this project and similar ones. Not Kafka, Replicated*, S3Queue and the like: the embedded server
# cannot run them, and a failed CREATE leaves metadata that prevents its next start.
ENGINES = (
    "MergeTree",
    "ReplacingMergeTree",
    "AggregatingMergeTree",
    "SummingMergeTree",
    "CollapsingMergeTree",
    "VersionedCollapsingMergeTree",
    "Memory",
    "Null",
    "Buffer",
    "Merge",
    "Log",
    "TinyLog",
    "StripeLog",
    "Set",
    "Join",
    "Dictionary",
)

DIMENSIONS = ("cities", "counties", "towns", "grids", "event_types", "sources", "grid_directory", "areas", "migrations")
PUBLISHED = ("published_*", "rollup_builds", "mart_builds")  # counts below 5 are suppressed in these views
# Results of the expectations, and the views that their sample queries read: no texts, payloads or hashes.
QUALITY = ("quality_results", "quality_latest", "quality_quarantine", "quality_ledger", "quality_samples")

# Tables and views that a reader may read completely. Never: events (reporter hashes), quarantine (payloads), the
# rollup, the marts and their plain views (counts below 5). `review_queue` shows masked texts, as `reports` does.
ANALYST_TABLES = (*DIMENSIONS, *PUBLISHED, *QUALITY, "reports", "review_queue", "ledger")
BOARD_TABLES = (*DIMENSIONS, *PUBLISHED)

# Columns that an analyst may read of a table that is otherwise closed.
ANALYST_COLUMNS = {
    "quarantine": (
        "topic, kafka_partition, kafka_offset, kafka_time, stage, reason, reasons, rules, detail, grid_code, source, "
        "payload_bytes, quarantined_at"
    ),
}

_WRITER = (
    "GRANT ALL ON {database}*.*",
    "GRANT SELECT, SHOW ON system.*",
    "GRANT CREATE TEMPORARY TABLE ON *.*",
    *(f"GRANT TABLE ENGINE ON {engine}" for engine in ENGINES),
)
_READER = ("GRANT SHOW DATABASES, SHOW TABLES, SHOW COLUMNS ON {database}.*", "GRANT CREATE TEMPORARY TABLE ON *.*")

GRANTS: dict[str, tuple[str, ...]] = {
    # The start-up session of the server itself, which has no password.
    "default": ("GRANT SYSTEM LISTEN ON *.*", "GRANT FILE ON *.*", "GRANT CREATE TEMPORARY TABLE ON *.*"),
    "engineer": (
        *_WRITER,
        "GRANT SHOW ON *.*",
        "GRANT KILL QUERY, SYSTEM FLUSH LOGS, SYSTEM DROP CACHE, SYSTEM MERGES, SYSTEM TTL MERGES ON *.*",
    ),
    "loader": _WRITER,
    "analyst": (
        *_READER,
        *(f"GRANT SELECT ON {{database}}.{table}" for table in ANALYST_TABLES),
        *(f"GRANT SELECT({columns}) ON {{database}}.{table}" for table, columns in ANALYST_COLUMNS.items()),
    ),
    # Evaluates the expressions of repairs over data that is sent with the query.
    "repair": (),
    "board": (*_READER, *(f"GRANT SELECT ON {{database}}.{table}" for table in BOARD_TABLES)),
}


def grants(user: str, database: str) -> tuple[str, ...]:
    """The GRANT statements of `user`."""
    return tuple(statement.format(database=database) for statement in GRANTS[user])
