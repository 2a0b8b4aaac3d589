"""The `gridstream` command: one module per command group, each with `register(app)`."""

import io
import logging
import os
import platform
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from infra.cli.shared.lazy import LazyGroup
from infra.cli.shared.output import faults_as_lines
from infra.proxy import loopback_without_proxy

# The commands that each module of infra.cli registers, in the order of the help.
GROUPS = {
    "demo.demo": ("demo",),
    "stack.stack": ("up", "down", "restart", "logs"),
    "stack.status": ("status",),
    "data.simulate": ("simulate",),
    "data.ingest": ("ingest",),
    "data.check": ("check",),
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
    app.callback()(_root)
    return app


def _print_version(requested: bool) -> None:
    if requested:
        typer.echo(f"gridstream {version('gridstream')} (Python {platform.python_version()})")
        raise typer.Exit


def _root(
    show_version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_print_version, help="显示版本 print the version"),
    ] = False,
) -> None:
    """The options of `gridstream` without a command."""


def main() -> None:
    """Entry point of the console script."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # on an ASCII terminal the English remains readable
    os.environ.update(loopback_without_proxy(os.environ))
    logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)  # its errors are raised, too
    with faults_as_lines():
        build()()
