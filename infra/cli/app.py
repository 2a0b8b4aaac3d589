"""The `gridstream` command: one module per command group, each with `register(app)`."""

import logging

import typer

from infra.cli import (
    bench,
    classify,
    demo,
    ingest,
    marts,
    migrate,
    model,
    quality,
    quarantine,
    review,
    settings,
    simulate,
    sql,
    stack,
    status,
    stream,
    verify,
)
from infra.cli.output import faults_as_lines

# In the order in which help lists them.
GROUPS = (
    demo,
    stack,
    status,
    simulate,
    ingest,
    verify,
    marts,
    sql,
    quality,
    quarantine,
    classify,
    model,
    review,
    migrate,
    stream,
    bench,
    settings,
)

_HELP = """城市事件流分析：Kafka → Spark → ClickHouse，由 Dagster 编排。

Citywide event-stream analytics. Start with [bold]gridstream demo[/bold], or [bold]gridstream up[/bold] and
[bold]gridstream status[/bold]. Every command takes --json; every setting is listed by [bold]gridstream settings[/bold].
"""


def build() -> typer.Typer:
    """The application with all commands."""
    app = typer.Typer(
        name="gridstream",
        help=_HELP,
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for group in GROUPS:
        group.register(app)
    return app


def main() -> None:
    """Entry point of the console script."""
    logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)  # its faults reach us as exceptions
    with faults_as_lines():
        build()()
