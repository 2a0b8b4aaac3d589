"""The demo's live view: the stream's figures and the busiest counties of today, refreshed."""

import time
from contextlib import nullcontext

from rich.console import Group, RenderableType
from rich.live import Live

from infra.cli.shared.output import Column, console, errors, number, percent, seconds, table
from infra.cli.stack.stream_view import condition, observe_stream, render_stream
from infra.settings import Settings
from pipelines.clock import today
from pipelines.errors import GridstreamError
from pipelines.marts.read import Reader
from schemas.registry import city as registered_city

_REFRESH_SECONDS = 2.0
_LINE_SECONDS = 15.0  # between two lines, where there is no terminal to redraw


def watch(config: Settings, city: str, lasting: float | None, quiet: bool) -> None:
    """Show the figures for `lasting` seconds (None: until Ctrl-C)."""
    terminal = console.is_terminal and not quiet
    ends = time.monotonic() + lasting if lasting else None
    printed_at = 0.0
    with Live(console=console, refresh_per_second=4) if terminal else nullcontext() as screen:
        while ends is None or time.monotonic() < ends:
            if screen is not None:
                screen.update(_render_view(config, city, ends))
            elif not quiet and time.monotonic() - printed_at >= _LINE_SECONDS:
                printed_at = time.monotonic()
                errors.print(_line(config))
            time.sleep(min(_REFRESH_SECONDS, max(0.0, ends - time.monotonic())) if ends else _REFRESH_SECONDS)


def _render_view(config: Settings, city: str, ends: float | None) -> RenderableType:
    left = f"还有 {seconds(max(0.0, ends - time.monotonic()))} left" if ends else "Ctrl-C 结束 ends it"
    return Group(render_stream(observe_stream(config)), _render_counties(config, city), left)


def _line(config: Settings) -> str:
    """The stream in one line."""
    seen = observe_stream(config)
    rate = f"{seen.ledger.rows_per_second:.1f}" if seen.ledger else "-"
    lag = f"{number(seen.lag.messages)} ({seconds(seen.lag.seconds)})" if seen.lag else "-"
    return f"   流作业 stream {condition(seen)}: {rate} 条/秒 messages/s, 积压 lag {lag}"


def _render_counties(config: Settings, city: str) -> RenderableType:
    try:
        with config.client("analyst") as client:
            areas = Reader(client, published=True).ranking(
                city, "county", "day", day=today(registered_city(city).timezone), limit=10
            )
    except GridstreamError as error:
        return str(error)
    columns = (
        Column("区县", "county"),
        Column("今日上报", "today", True),
        Column("到期按时办结率", "closed by limit ÷ due", True),
    )
    rows = ((f"{area.area_zh} {area.area_en}", area.reported, percent(area.on_time_rate)) for area in areas)
    return table("今日 Today", columns, rows)
