"""`gridstream scorecard`: the quality of reporting by source, county and town."""

from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from infra.cli.figures.mart_options import (
    LEVELS,
    AsWhom,
    CityCode,
    Day,
    Limit,
    Who,
    reader,
    require_area,
    require_city,
)
from infra.cli.shared.output import AsJson, Column, emit, percent, seconds, table
from pipelines.errors import UserFault
from pipelines.marts.read import DOUBTFUL_BELOW, ScoredArea, ScoredLevel

_COLUMNS = (
    Column("区域或来源", "area or source"),
    Column("质量分", "score", right=True),
    Column("消息", "messages", right=True),
    Column("有效", "validity", right=True),
    Column("隔离", "quarantined", right=True, rank=1),
    Column("无日期", "undated", right=True),
    Column("警告", "warned", right=True, rank=4),
    Column("完整", "completeness", right=True),
    Column("及时", "timeliness", right=True),
    Column("时延中位", "median lag", right=True, rank=6),
    Column("时延 p95", "lag p95", right=True, rank=5),
    Column("补报", "backfilled", right=True, rank=7),
    Column("重复", "duplicates", right=True, rank=3),
    Column("存疑", "suspect", right=True, rank=2),
)
_MEANING = (
    "有效：未隔离，有警告算一半 validity: not quarantined, one with a warning counts half; "
    "及时：15 分钟内到达 timeliness: arrived within 15 minutes"
)
_UNDATED = (
    "无日期：当日到达、读不出日期的被拒消息，不计入评分 "
    "undated: rejected messages that arrived on this day and name no day; no part of the score"
)
_DATELESS = ("county", "town")  # levels whose cards have no undated messages


def scorecard(
    city: CityCode = "330200",
    level: Annotated[ScoredLevel, typer.Option(help="层级 which level")] = "county",
    day: Day = None,
    within: Annotated[str, typer.Option(help="只看此县区之下 only towns of this county code")] = "",
    limit: Limit = 200,
    user: AsWhom = "analyst",
    as_json: AsJson = False,
) -> None:
    """上报质量评分：完整、有效、及时、重复、存疑，0 至 100 分。

    The quality of a day's reports: completeness, validity, timeliness, duplicates, suspect reports, and a score of 0 to
    100, lowest first. The formula is in pipelines/marts/scorecard/build.sql.
    """
    require_city(city)
    require_area(city, within, "county")
    with reader(user) as marts:
        rows = marts.scorecard(city, level, day=day.date() if day else None, parent=within, limit=limit)
    if not rows:
        when = f"（{day.date()}）" if day else ""
        raise UserFault(
            f"{city} 没有评分{when} no scorecard; `gridstream rebuild` 重建有上报的日 builds days with reports"
        )
    document = {"city": city, "level": level, "day": rows[0].day, "areas": rows}
    emit(document, as_json, lambda: _render_scorecards(rows, level, user))


def _render_scorecards(rows: list[ScoredArea], level: ScoredLevel, user: Who) -> RenderableType:
    """The scorecards as a table; figures that are unknown or too small to show are "-"."""
    title = f"{LEVELS[level]}上报质量 quality of reporting by {level}, {rows[0].day}"
    if rows[0].running:
        title += "（当日未完 the day is not over）"
    undated = level not in _DATELESS
    columns = [column for column in _COLUMNS if undated or column.en != "undated"]
    scores = table(title, columns, (_cells(row, undated) for row in rows))
    hidden = "" if user == "engineer" else "；小于 5 的数不显示 counts below 5 are hidden"
    return Group(scores, f"{_MEANING}{hidden}", *([_UNDATED] if undated else []))


def _cells(row: ScoredArea, undated: bool) -> tuple[object, ...]:
    lags = tuple(None if lag is None else seconds(lag) for lag in (row.lag_p50_seconds, row.lag_p95_seconds))
    return (
        f"{row.area_zh} {row.area_en}",
        score(row.score, row.running),
        row.messages,
        percent(row.validity),
        row.quarantined,
        *([row.undated] if undated else []),
        row.warned,
        percent(row.completeness),
        percent(row.timeliness),
        *lags,
        row.backfilled,
        percent(row.duplicate_share),
        percent(row.suspect_share),
    )


def score(value: float | None, running: bool) -> Text | None:
    """A score for a table: marked with "!" and in red if the figures of the area are not reliable.

    A `running` period is not marked: its first hours say little.
    """
    if value is None:
        return None
    return Text(f"! {value:.1f}", "red") if value < DOUBTFUL_BELOW and not running else Text(f"{value:.1f}")
