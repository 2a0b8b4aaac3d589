"""The options by which messages are chosen: the same for every command that works on them."""

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from typing import Annotated, Any, Concatenate, ParamSpec

import typer
from clickhouse_connect.driver.client import Client

from infra.settings import settings
from pipelines.quarantine.selection import Selection
from pipelines.services.clickhouse import connect

P = ParamSpec("P")

Reason = Annotated[str, typer.Option(help="只此原因 only this reason (id)")]
From = Annotated[str, typer.Option(help="只此来源 only this source")]
Rule = Annotated[str, typer.Option(help="只此规则 only this rule, such as bad_value:severity; see stats")]
Since = Annotated[datetime | None, typer.Option(help="此时起到达 arrived at or after (Asia/Shanghai)")]
Until = Annotated[datetime | None, typer.Option(help="此时前到达 arrived before (Asia/Shanghai)")]
Limit = Annotated[int, typer.Option(min=1, max=1_000_000, help="最多条数，先旧后新 most messages, oldest first")]


def choosing(command: Callable[Concatenate[Selection, P], None]) -> Callable[..., None]:
    """Makes a command out of a function of a `Selection`: it takes the options that make one, and its own."""
    shared = inspect.signature(_selection).parameters
    own = list(inspect.signature(command).parameters.values())[1:]

    @functools.wraps(command)
    def chosen(**given: Any) -> None:
        selection = _selection(**{name: given.pop(name) for name in shared})
        command(selection, **given)  # type: ignore[call-arg]  # the rest is what it declares itself

    both = [*shared.values(), *own]
    chosen.__signature__ = inspect.Signature(both)  # type: ignore[attr-defined]
    chosen.__annotations__ = {parameter.name: parameter.annotation for parameter in both}
    return chosen


def _selection(
    reason: Reason = "",
    source: From = "",
    rule: Rule = "",
    since: Since = None,
    until: Until = None,
    limit: Limit = 100_000,
) -> Selection:
    return Selection.of(settings().topic, reason, source, rule, since, until, limit)


@contextmanager
def engineer() -> Iterator[Client]:
    """A client of a user who may read payloads."""
    with closing(connect(settings().clickhouse("engineer"))) as client:
        yield client
