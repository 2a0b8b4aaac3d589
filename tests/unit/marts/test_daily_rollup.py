"""The daily rollup, with figures computed by hand."""

import re
from datetime import date, timedelta

import pytest
from clickhouse_connect.driver.client import Client

from pipelines.marts.rollup import build_day, overdue_days, recompute_differences, stale_days
from pipelines.services.queries import query_text
from tests.support.mart_facts import at, insert, message

DAY = date(2026, 3, 4)


def _cell(client: Client) -> dict[str, object]:
    result = client.query("SELECT * FROM rollup_daily WHERE day = {day:Date}", {"day": DAY}, query_tz="Asia/Shanghai")
    (row,) = result.named_results()
    return row


def _four_reports(client: Client) -> None:
    """a: handled after 2 h, closed after 3 h; b: sent back, handled too late; c: rejected; d: open."""
    insert(
        client,
        [
            message("a", DAY),
            message("a", DAY, "resolved", after=2),
            message("a", DAY, "closed", after=3, satisfaction=4),
            message("b", DAY, "reopened", after=20),
            message("b", DAY, "resolved", after=25.5),
            message("c", DAY, "rejected", after=1),
            message("d", DAY, decided_by="fallback"),
        ],
    )


def test_figures_of_a_cell(client: Client) -> None:
    _four_reports(client)
    build_day(client, DAY, "run")
    cell = _cell(client)
    counts = {name: cell[name] for name in ("reported", "handled", "closed", "on_time", "reopened", "rejected")}
    assert counts == {"reported": 4, "handled": 2, "closed": 1, "on_time": 1, "reopened": 1, "rejected": 1}
    assert (cell["satisfaction_sum"], cell["satisfaction_count"]) == (4, 1)
    assert (cell["by_model"], cell["by_fallback"]) == (3, 1)
    assert cell["handling_minutes"] == [120, 1530]
    assert cell["open_due_at"] == [at(DAY, 32)]


def test_limits_of_a_cell(client: Client) -> None:
    """Rejected reports have none; `met` as on_time."""
    _four_reports(client)
    build = build_day(client, DAY, "run")
    due = DAY + timedelta(days=1)
    assert _cell(client)["due"] == [{"day": due, "at": at(DAY, 32), "met": met} for met in (0, 0, 1)]
    assert build.due_days == (due,)


def test_hours_and_limits_are_those_of_the_city(client: Client) -> None:
    columns = ["city_code", "zh", "en", "timezone", "valid_from"]
    client.insert("cities", [["840617", "某", "Some", "America/New_York", DAY]], column_names=columns)
    reported = at(DAY, 8.25)  # 19:15 of the day before
    insert(
        client, [message("a", DAY), message("b", DAY, city_code="840617", reported_at=reported, due_at=at(DAY, 12.5))]
    )
    query = "SELECT toString(local_time), local_hour, due_day FROM reports ORDER BY report_id"
    assert client.query(query).result_rows == [
        (f"{DAY} 08:00:00", 8, DAY + timedelta(days=1)),
        (f"{DAY - timedelta(days=1)} 19:15:00", 19, DAY - timedelta(days=1)),
    ]


def test_times_of_reports_say_their_zone(client: Client) -> None:
    """An analyst who reads only DESCRIBE learns that toHour(reported_at) is an hour in Shanghai."""
    comments = {row["name"]: row["comment"] for row in client.query("DESCRIBE reports").named_results()}
    assert all("Asia/Shanghai" in comments[name] for name in ("reported_at", "updated_at", "due_at", "handled_at"))
    assert all("city" in comments[name] for name in ("day", "timezone", "local_time", "due_day"))


def test_a_day_built_by_an_older_definition_is_stale(client: Client) -> None:
    insert(client, [message("a", DAY)])
    build_day(client, DAY, "one")
    client.command("ALTER TABLE rollup_builds UPDATE version = 0 WHERE 1 SETTINGS mutations_sync = 1")
    assert stale_days(client, settle=0) == [DAY]


def test_columns_are_in_the_order_of_the_table(client: Client) -> None:
    selected = client.query(query_text("marts/rollup.sql"), {"day": DAY}).column_names
    assert selected == client.query("SELECT * FROM rollup_daily").column_names


def test_a_second_build_changes_nothing(client: Client) -> None:
    _four_reports(client)
    first = build_day(client, DAY, "one")
    before = _cell(client)
    assert build_day(client, DAY, "two").rows == first.rows == 1
    assert _cell(client) == before


def test_a_resend_and_an_older_message_change_no_figure(client: Client) -> None:
    _four_reports(client)
    build_day(client, DAY, "one")
    before = _cell(client)
    insert(client, [message("d", DAY, decided_by="fallback"), message("a", DAY, "dispatched", after=1)])
    assert build_day(client, DAY, "two").reports == 4
    assert _cell(client) == before


def test_a_correction_moves_the_count_to_another_grid(client: Client) -> None:
    insert(client, [message("a", DAY)])
    build_day(client, DAY, "one")
    insert(client, [message("a", DAY, after=1, grid="990002001001", event_type=305)])
    build_day(client, DAY, "two")
    cell = _cell(client)
    assert (cell["grid_code"], cell["event_type"], cell["reported"]) == ("990002001001", 305, 1)


def test_a_day_without_reports_ends_up_empty(client: Client) -> None:
    _four_reports(client)
    build_day(client, DAY, "one")
    client.command("TRUNCATE TABLE report_states")
    build = build_day(client, DAY, "two")
    assert (build.rows, build.reports) == (0, 0)
    assert client.query("SELECT count() FROM rollup_daily").result_rows == [(0,)]


def test_other_days_are_left_alone(client: Client) -> None:
    other = DAY + timedelta(days=1)
    insert(client, [message("a", DAY), message("b", other)])
    for day in (DAY, other):
        build_day(client, day, "one")
    build_day(client, DAY, "two")
    assert client.query("SELECT day, reported FROM rollup_daily ORDER BY day").result_rows == [(DAY, 1), (other, 1)]


def test_touched_days_are_stale_until_built(client: Client) -> None:
    other = DAY + timedelta(days=1)
    insert(client, [message("a", DAY), message("b", other)])
    assert stale_days(client, settle=0) == [DAY, other]
    build_day(client, DAY, "one")
    assert stale_days(client, settle=0) == [other]
    insert(client, [message("a", DAY, "closed", after=5)])
    assert stale_days(client, settle=0) == [DAY, other]


def test_a_build_right_after_a_push_is_not_trusted_yet(client: Client) -> None:
    insert(client, [message("a", DAY)])
    build_day(client, DAY, "one")
    assert stale_days(client, settle=60) == [DAY]
    assert stale_days(client, settle=0) == []


def test_the_schedule_lets_old_days_rest_for_an_hour(client: Client) -> None:
    old = DAY - timedelta(days=8)
    insert(client, [message("a", DAY - timedelta(days=7)), message("b", old)])
    assert stale_days(client, settle=60, today=DAY) == [old, DAY - timedelta(days=7)]  # never built
    for day in stale_days(client):
        build_day(client, day, "one")
    assert stale_days(client, settle=60, today=DAY) == [DAY - timedelta(days=7)]  # its push is not settled
    assert stale_days(client, settle=60) == [old, DAY - timedelta(days=7)]
    _age(client, "rollup_builds", "started_at", minutes=60)
    assert stale_days(client, settle=60, today=DAY) == [old, DAY - timedelta(days=7)]


def _age(client: Client, table: str, column: str, minutes: int) -> None:
    update = f"ALTER TABLE {table} UPDATE {column} = {column} - toIntervalMinute({minutes}) WHERE 1"
    client.command(f"{update} SETTINGS mutations_sync = 1")


@pytest.mark.parametrize(("days_ago", "minutes", "overdue"), [(7, 16, 16), (7, 14, None), (8, 76, 76), (8, 74, None)])
def test_figures_are_overdue_when_messages_wait_too_long(
    client: Client, days_ago: int, minutes: int, overdue: int | None
) -> None:
    day = DAY - timedelta(days=days_ago)
    insert(client, [message("a", day)])
    build_day(client, day, "one")
    _age(client, "rollup_builds", "started_at", minutes=300)
    insert(client, [message("b", day)])
    assert overdue_days(client, DAY) == {}  # only just loaded
    _age(client, "events", "loaded_at", minutes)
    assert overdue_days(client, DAY) == ({day: overdue} if overdue else {})
    build_day(client, day, "two")
    assert overdue_days(client, DAY) == {}


@pytest.mark.parametrize("table", ["report_states", "report_handling"])
def test_a_repair_of_a_table_below_reports_touches_the_day(client: Client, table: str) -> None:
    insert(client, [message("a", DAY)])
    build_day(client, DAY, "one")
    client.command(f"INSERT INTO {table} SELECT * FROM {table} SETTINGS insert_deduplicate = 0")
    assert stale_days(client, settle=0) == [DAY]


def test_differences_name_the_cell_and_both_sides(client: Client) -> None:
    _four_reports(client)
    build_day(client, DAY, "one")
    assert recompute_differences(client, DAY) == []
    insert(client, [message("d", DAY, "closed", after=4, decided_by="fallback")])
    (difference,) = recompute_differences(client, DAY)
    assert difference.stored and difference.recomputed
    assert (difference.stored["handled"], difference.recomputed["handled"]) == (2, 3)
    client.command("TRUNCATE TABLE rollup_daily")
    assert recompute_differences(client, DAY)[0].stored is None


ANALYST = "SELECT count(), countIf(on_time) FROM reports WHERE day {}"


@pytest.mark.parametrize(
    ("query", "days"),
    [
        (query_text("marts/rollup.sql"), 1),
        (ANALYST.format("= {day:Date}"), 1),
        (ANALYST.format("BETWEEN {day:Date} AND {day:Date} + 2"), 3),
    ],
)
def test_reports_of_a_day_read_one_partition_on_both_sides(client: Client, query: str, days: int) -> None:
    """A day must not cost more the more days there are."""
    insert(client, [message(f"r{n}", DAY + timedelta(days=n)) for n in range(9)])
    plan = "\n".join(line for (line,) in client.query(f"EXPLAIN indexes = 1 {query}", {"day": DAY}).result_rows)
    assert plan.count("ReadFromMergeTree") == 2
    assert re.findall(r"Min-Max.*?Parts: (\d+)/(\d+)", plan, re.DOTALL) == [(str(days), "9")] * 2, plan


def test_a_report_on_two_days_is_counted_on_each_and_by_the_rollup_alike(client: Client) -> None:
    """Against the contract, and named by `verify`; but no figure may depend on who asks."""
    days = [DAY, DAY + timedelta(days=1)]
    insert(client, [message("a", day) for day in days])
    for day in days:
        build_day(client, day, "one")
    rollup = client.query("SELECT day, reported FROM rollup_daily ORDER BY day").result_rows
    assert client.query("SELECT day, count() FROM reports GROUP BY day ORDER BY day").result_rows == rollup
