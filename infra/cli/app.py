"""The `gridstream` command: one module per command group, each with `register(app)`."""

import logging

import typer

from infra.cli.shared.lazy import LazyGroup
from infra.cli.shared.output import faults_as_lines

# Which commands each module of infra.cli registers, in the order in which help lists them.
GROUPS = {
    "demo.demo": ("demo",),
    "stack.stack": ("up", "down", "restart", "logs"),
    "stack.status": ("status",),
    "data.simulate": ("simulate",),
    "data.ingest": ("ingest",),
    "data.verify": ("verify",),
    "figures.marts": ("rebuild", "ranking", "trends", "scorecard"),
    "data.sql": ("sql",),
    "figures.quality": ("quality",),
    "quarantine": ("quarantine",),
    "model.classify": ("classify",),
    "model.model": ("model",),
    "model.review": ("review",),
    "stack.migrate": ("migrate",),
    "stack.stream": ("stream",),
    "bench.bench": ("bench",),
    "stack.settings": ("settings",),
}

_HELP = """城市事件流分析：Kafka → Spark → ClickHouse，由 Dagster 编排。

Citywide event-stream analytics. Start with [bold]gridstream demo[/bold], or [bold]gridstream up[/bold] and
[bold]gridstream status[/bold]. Every command takes --json; every setting is listed by [bold]gridstream settings[/bold].
"""


class Gridstream(LazyGroup):
    modules = {name: f"infra.cli.{module}" for module, names in GROUPS.items() for name in names}


def build() -> typer.Typer:
    """The application with all commands."""
    app = typer.Typer(
        name="gridstream",
        cls=Gridstream,
        help=_HELP,
        no_args_is_help=True,
        suggest_commands=False,  # Click does it
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_no_options)
    return app


def _no_options() -> None:
    """Typer wants a callback or a command of its own; the commands are the group's."""


def main() -> None:
    """Entry point of the console script."""
    logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)  # its faults reach us as exceptions
    with faults_as_lines():
        build()()
