"""`gridstream scorecard`: how well is reported, by source, county and town."""

from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from infra.cli.figures.mart_options import AsWhom, CityCode, Day, Limit, Who, known, reader
from infra.cli.shared.output import AsJson, Column, emit, percent, seconds, table
from pipelines.errors import UserFault
from pipelines.marts.read import DOUBTFUL_BELOW, ScoredArea, ScoredLevel

_LEVELS = {"city": "全市", "source": "来源", "county": "县区", "town": "镇街"}
_COLUMNS = (
    Column("区域或来源", "area or source"),
    Column("质量分", "score", right=True),
    Column("消息", "messages", right=True),
    Column("有效", "validity", right=True),
    Column("隔离", "quarantined", right=True),
    Column("警告", "warned", right=True),
    Column("完整", "completeness", right=True),
    Column("及时", "timeliness", right=True),
    Column("时延中位", "median lag", right=True),
    Column("时延 p95", "lag p95", right=True),
    Column("补报", "backfilled", right=True),
    Column("重复", "duplicates", right=True),
    Column("存疑", "suspect", right=True),
)
_MEANING = (
    "有效：未隔离，有警告算一半 validity: not quarantined, one with a warning counts half; "
    "及时：15 分钟内到达 timeliness: arrived within 15 minutes"
)


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

    How well is reported on a day: completeness, validity, timeliness, duplicates, suspicion, and one score of 0 to 100;
    lowest first. pipelines/marts/scorecard/build.sql has the formula.
    """
    known(city)
    with reader(user) as marts:
        rows = marts.scorecard(city, level, day=day.date() if day else None, parent=within, limit=limit)
    if not rows:
        when = f"for {day.date()}" if day else "yet"
        raise UserFault(f"no scorecard of {city} {when}; `gridstream rebuild` builds what has reports")
    emit({"city": city, "level": level, "day": rows[0].day, "areas": rows}, as_json, lambda: scored(rows, level, user))


def scored(rows: list[ScoredArea], level: ScoredLevel, user: Who) -> RenderableType:
    """The scorecards as a table; figures are "-" where they are unknown or too small to show."""
    title = f"{_LEVELS[level]}上报质量 quality of reporting by {level}, {rows[0].day}"
    shown = table(title, _COLUMNS, map(_cells, rows))
    hidden = "" if user == "engineer" else "；小于 5 的数不显示 counts below 5 are hidden"
    return Group(shown, f"{_MEANING}{hidden}")


def _cells(row: ScoredArea) -> tuple[object, ...]:
    lags = tuple(None if lag is None else seconds(lag) for lag in (row.lag_p50_seconds, row.lag_p95_seconds))
    return (
        f"{row.area_zh} {row.area_en}",
        score(row.score),
        row.messages,
        percent(row.validity),
        row.quarantined,
        row.warned,
        percent(row.completeness),
        percent(row.timeliness),
        *lags,
        row.backfilled,
        percent(row.duplicate_share),
        percent(row.suspect_share),
    )


def score(value: float | None) -> Text | None:
    """A score for a table: marked with "!" and in red where figures of the area are to be read with care."""
    if value is None:
        return None
    return Text(f"! {value:.1f}", "red") if value < DOUBTFUL_BELOW else Text(f"{value:.1f}")
