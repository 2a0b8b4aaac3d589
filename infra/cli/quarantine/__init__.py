"""`gridstream quarantine`: rejected messages: list, repair, send again, give up, settle."""

import typer

from infra.cli.quarantine.act import discard, fix, replay
from infra.cli.quarantine.read import list_, show, stats
from infra.cli.quarantine.settle import settle

_HELP = """隔离区：被拒消息的统计、清单与内容（已脱敏），修正、重放、放弃与查清。

Rejected messages: how many and why, a list, one message (masked); repair them, send them again, give them up, settle
the claims that a dead replay left.
"""


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(help=_HELP, no_args_is_help=True)
    group.command()(stats)
    group.command("list")(list_)
    group.command()(show)
    group.command()(fix)
    group.command()(replay)
    group.command()(discard)
    group.command()(settle)
    app.add_typer(group, name="quarantine")
