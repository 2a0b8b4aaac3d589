"""`gridstream ranking` and `trends`, and the registration of `rebuild` and `scorecard`."""

from dataclasses import replace
from typing import Annotated

import typer
from rich.console import Group, RenderableType

from infra.cli.figures.mart_options import LEVELS, AsWhom, CityCode, Day, Limit, Who, reader, require_area, require_city
from infra.cli.figures.rebuild import rebuild
from infra.cli.figures.scorecard import score, scorecard
from infra.cli.shared.output import AsJson, Column, emit, moment, percent, table
from pipelines.errors import UserFault
from pipelines.marts.catalog import PeriodKind
from pipelines.marts.read import DOUBTFUL_BELOW, Level, RankBy, RankedArea, RisingType

_KINDS = {"day": "日", "week": "周", "month": "月"}
_ON_TIME = Column("到期按时办结率", "closed by limit ÷ due", right=True, rank=1)
_PER_1000 = Column("每千户", "per 1,000 households", right=True, rank=5)
_RANKED_BY: dict[RankBy, Column] = {"on_time": _ON_TIME, "per_1000": _PER_1000}
_RANKING = (
    Column("名次", "rank", right=True),
    Column("区域", "area"),
    Column("上级", "in", rank=4),
    Column("上报", "reported", right=True),
    Column("办结", "handled", right=True, rank=6),
    Column("到期", "due", right=True, rank=2),
    _ON_TIME,
    Column("重开", "reopened", right=True, rank=9),
    Column("逾期未办", "overdue", right=True, rank=3),
    Column("办理中位时长", "median hours", right=True, rank=7),
    Column("满意度", "satisfaction", right=True, rank=8),
    _PER_1000,
    Column("上报质量", "quality", right=True),
)
_CARE = f"!：上报质量低于 {DOUBTFUL_BELOW:.0f} 分，名次慎看 read ranks marked ! with care: their areas report badly"


def ranking(
    city: CityCode = "330200",
    level: Annotated[Level, typer.Option(help="层级 which areas")] = "county",
    period: Annotated[PeriodKind, typer.Option(help="周期 which period; weeks begin on Monday")] = "week",
    day: Day = None,
    by: Annotated[RankBy, typer.Option(help="排序依据 what to rank by")] = "count",
    within: Annotated[str, typer.Option(help="只看此县区或镇街之下 only areas directly below this code")] = "",
    limit: Limit = 50,
    user: AsWhom = "analyst",
    as_json: AsJson = False,
) -> None:
    """区域排名：上报数、到期按时办结率、每千户。

    Ranks the counties, towns or grids of a city in a day, week or month: by reports, by the share of the reports due
    in the period that were closed by their limit (open ones count as late), or by reports per 1,000 households.
    Without --day it is the last complete period; a running one is marked. Equal values share a rank. The last column
    is the score of the area's reporting: read ranks marked with "!" with care, since much of what was reported there
    is missing, late or rejected.
    """
    require_city(city)
    if level == "county" and within not in ("", city):
        raise UserFault(f"{within}：县区之上只有城市 only the city is above counties: leave --within out")
    if level != "county":
        require_area(city, within, "county" if level == "town" else "town")
    with reader(user) as marts:
        rows = marts.ranking(city, level, period, day=day.date() if day else None, by=by, parent=within, limit=limit)
    if not rows:
        when = f"{day.date()} 所在的{_KINDS[period]} the {period} of {day.date()}" if day else "任何周期 any period"
        raise UserFault(
            f"{city} 没有排名：{when} no such ranking; `gridstream rebuild` 重建有上报的日 builds days with reports"
        )
    document = {"city": city, "level": level, "period": period, "by": by, "areas": rows}
    emit(document, as_json, lambda: render_ranking(rows, level, period, user, by))


def render_ranking(
    rows: list[RankedArea], level: Level, period: PeriodKind, user: Who, by: RankBy = "count"
) -> RenderableType:
    """The ranking as a table; the figure that it is ranked `by` is always shown."""
    first = rows[0]
    title = f"{LEVELS[level]}{_KINDS[period]}排名 {level} ranking, {period} {first.period_start} – {first.period_end}"
    if first.running:
        over = f"{first.days_complete}/{first.days}"
        title += f"（进行中，已满 {over} 天 running, {over} days complete）"
    columns = [replace(column, rank=0) if column is _RANKED_BY.get(by) else column for column in _RANKING]
    ranks = table(title, columns, map(_ranking_cells, rows))
    hidden = "" if user == "engineer" else "；小于 5 的数不显示 counts below 5 are hidden"
    doubtful = not first.running and any(
        row.quality_score is not None and row.quality_score < DOUBTFUL_BELOW for row in rows
    )
    return Group(ranks, f"截至 as of {moment(first.as_of)}{hidden}", *([_CARE] if doubtful else []))


def _ranking_cells(row: RankedArea) -> tuple[object, ...]:
    return (
        row.rank,
        f"{row.area_zh} {row.area_en}",
        row.parent_zh,
        row.reported,
        row.handled,
        row.due,
        percent(row.on_time_rate),
        row.reopened,
        row.overdue_open,
        row.median_handling_hours,
        row.satisfaction_avg,
        row.per_1000_households,
        score(row.quality_score, row.running),
    )


def trends(
    city: CityCode = "330200",
    area: Annotated[str, typer.Option(help="县区代码，缺省为全市 county code; without it, the whole city")] = "",
    day: Day = None,
    limit: Limit = 15,
    user: AsWhom = "analyst",
    as_json: AsJson = False,
) -> None:
    """上升的类型：近 7 天与此前 4 周相比（新城市按已有天数）。

    Event types on the rise: the last 7 days against the 4 weeks before, or fewer days of both while a city is new. z
    is the rise in standard deviations; it is reliable for small counts, too. The formula and its source are in
    pipelines/marts/rising_types/build.sql.
    """
    require_city(city)
    require_area(city, "" if area == city else area, "county")
    with reader(user) as marts:
        rows = marts.rising(city, area, day=day.date() if day else None, limit=limit)
    if not rows:
        raise UserFault(
            f"{area or city} 当日没有趋势 no trends for that day; "
            "`gridstream rebuild` 重建有上报的日 builds days with reports"
        )
    document = {"city": city, "area": area or city, "day": rows[0].day, "types": rows}
    emit(document, as_json, lambda: render_rising(rows))


def render_rising(rows: list[RisingType]) -> RenderableType:
    """The rising types as a table. "≥": the base is too small to show, and z is a lower bound."""
    days = rows[0].recent_days
    columns = (
        Column("名次", "rank", right=True),
        Column("类型", "type"),
        Column(f"近 {days} 天", f"last {days} days", right=True),
        Column(f"前 {days} 天", f"{days} days before", right=True, rank=2),
        Column("预期", "expected", right=True),
        Column("倍数", "ratio", right=True, rank=1),
        Column("异常度", "z", right=True),
    )
    return table(f"上升的类型 event types on the rise, {rows[0].day}", columns, map(_rising_cells, rows))


def _rising_cells(row: RisingType) -> tuple[object, ...]:
    z = f"≥ {row.z + 0.0:.0f}" if row.base is None and row.z is not None else row.z
    name = f"{row.event_type} {row.type_zh} {row.type_en}"
    return row.rank, name, row.recent, row.previous, row.expected, row.ratio, z


def register(app: typer.Typer) -> None:
    app.command()(rebuild)
    app.command()(ranking)
    app.command()(trends)
    app.command()(scorecard)
