"""Counts over the stored reports of a city."""

from datetime import date

from clickhouse_connect.driver.client import Client

from pipelines.services.queries import query_text

_DAYS_PRESENT = """
SELECT DISTINCT day FROM report_states WHERE city_code = {city:String} AND day BETWEEN {first:Date} AND {last:Date}"""


def summary(client: Client, city: str) -> dict[str, int]:
    """Counts over the reports of a city: by who decided the type, and how many are handled, on time, reopened."""
    result = client.query(query_text("quality/summary.sql"), {"city": city})
    return dict(zip(result.column_names, map(int, result.result_rows[0]), strict=True))


def days_present(client: Client, city: str, first: date, last: date) -> set[date]:
    """The days from `first` to `last` for which the city has reports."""
    scope = {"city": city, "first": first, "last": last}
    return {day for (day,) in client.query(_DAYS_PRESENT, scope).result_rows}
