"""Counts over a city's stored reports."""

from datetime import date

from clickhouse_connect.driver.client import Client

from pipelines.services.queries import query_text


def summary(client: Client, city: str) -> dict[str, int]:
    """Counts over a city's reports: who decided the type, how many are handled, on time, reopened."""
    result = client.query(query_text("quality/summary.sql"), {"city": city})
    return dict(zip(result.column_names, map(int, result.result_rows[0]), strict=True))


def days_present(client: Client, city: str, first: date, last: date) -> set[date]:
    """The days from `first` to `last` for which the city has reports."""
    scope = {"city": city, "first": first, "last": last}
    return {row[0] for row in client.query(query_text("quality/days_present.sql"), scope).result_rows}
