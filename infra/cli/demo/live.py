"""The demo's live view: the stream's figures and the busiest counties of today, refreshed."""

import time
from contextlib import closing, nullcontext

from rich.console import Group, RenderableType
from rich.live import Live

from infra.cli.shared.output import Column, console, errors, number, percent, seconds, table
from infra.cli.stack.status import stream_table
from infra.cli.stack.stream_view import stream_view
from infra.settings import Settings
from pipelines.errors import GridstreamError
from pipelines.marts.read import Reader
from pipelines.services.clickhouse import connect

_EVERY = 2.0  # seconds between two looks
_LINE_EVERY = 15.0  # the same, where there is no terminal to redraw


def watch(now: Settings, city: str, lasting: float | None, quiet: bool) -> None:
    """Show the figures for `lasting` seconds (None: until Ctrl-C)."""
    terminal = console.is_terminal and not quiet
    ends = time.monotonic() + lasting if lasting else None
    said = 0.0
    with Live(console=console, refresh_per_second=4) if terminal else nullcontext() as screen:
        while ends is None or time.monotonic() < ends:
            if screen is not None:
                screen.update(_view(now, city, ends))
            elif not quiet and time.monotonic() - said >= _LINE_EVERY:
                said = time.monotonic()
                errors.print(_line(now))
            time.sleep(min(_EVERY, max(0.0, ends - time.monotonic())) if ends else _EVERY)


def _view(now: Settings, city: str, ends: float | None) -> RenderableType:
    left = f"还有 {seconds(max(0.0, ends - time.monotonic()))} left" if ends else "Ctrl-C 结束 ends it"
    return Group(stream_table(stream_view(now)), _counties(now, city), left)


def _line(now: Settings) -> str:
    view = stream_view(now)
    rate = f"{view.ledger.rows_per_second:.1f}" if view.ledger else "-"
    lag = f"{number(view.lag.messages)} ({seconds(view.lag.seconds)})" if view.lag else "-"
    return f"   流作业 stream {view.condition}: {rate} 条/秒 messages/s, 积压 lag {lag}"


def _counties(now: Settings, city: str) -> RenderableType:
    try:
        with closing(connect(now.clickhouse("analyst"))) as client:
            areas = Reader(client, published=True).ranking(city, "county", "day", limit=10)
    except GridstreamError as error:
        return str(error)
    columns = (Column("区县", "county"), Column("今日上报", "today", True), Column("按时率", "on-time rate", True))
    rows = ((f"{area.area_zh} {area.area_en}", area.reported, percent(area.on_time_rate)) for area in areas)
    return table("今日 Today", columns, rows)
