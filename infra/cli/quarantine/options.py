"""The options that select waiting messages: the same for every command that works on them."""

from datetime import datetime
from typing import Annotated

import typer

Reason = Annotated[str, typer.Option(help="只此原因 only this reason (id)")]
Source = Annotated[str, typer.Option(help="只此来源 only this source")]
Rule = Annotated[str, typer.Option(help="只此规则 only this rule, such as bad_value:severity; see stats")]
Since = Annotated[datetime | None, typer.Option(help="此时起到达 arrived at or after (Asia/Shanghai)")]
Until = Annotated[datetime | None, typer.Option(help="此时前到达 arrived before (Asia/Shanghai)")]
Limit = Annotated[int, typer.Option(min=1, max=1_000_000, help="最多条数，先旧后新 most messages, oldest first")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="只看会做什么 only report what would be done")]
