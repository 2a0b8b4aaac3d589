"""The quality summary: reports that look perfunctory are counted once each, by city."""

from datetime import UTC, datetime
from uuid import uuid4

from clickhouse_connect.driver.client import Client

from pipelines.quality.summary import summary


def test_suspect_reports_are_counted_once(migrated_database: Client) -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    rows = [
        (at.date(), uuid4(), report, city, at, at, 401, "model", suspect)
        for report, city, suspect in (
            ("A", "330200", 0.9),
            ("A", "330200", 0.9),
            ("B", "330200", 0.5),
            ("C", "330200", 0.4),
            ("D", "330100", 0.9),
        )
    ]
    names = ("day", "event_id", "report_id", "city_code", "reported_at", "updated_at", "event_type", "decided_by")
    migrated_database.insert("events", rows, column_names=(*names, "suspect"))
    figures = summary(migrated_database, "330200")
    assert (figures["reports"], figures["by_model"], figures["suspected"]) == (3, 3, 2)
