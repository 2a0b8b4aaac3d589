"""`gridstream quarantine`: what was rejected, and why."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from difflib import get_close_matches
from typing import Annotated, Any

import msgspec
import typer
from clickhouse_connect.driver.client import Client
from rich.console import Group, RenderableType
from rich.text import Text

from infra.cli.output import SHANGHAI, AsJson, Column, emit, moment, number, table
from infra.settings import settings
from pipelines import quarantine
from pipelines import replay as sending
from pipelines.clickhouse import connect
from pipelines.errors import UserFault
from pipelines.quarantine import Quarantined
from pipelines.sources.publish import Publisher
from schemas.reasons import reasons

_HELP = """隔离区：被拒消息的统计、清单与内容（已脱敏），重放与放弃。

Rejected messages: how many and why, which, what one says (masked); send them again or give them up.
"""
_STATES = {
    "waiting": "待处理 waiting",
    "replaying": "重放未确认 replaying",
    "replayed": "已重放 replayed",
    "discarded": "已放弃 discarded",
}
_STAGES = {"decode": "解码 decode", "judge": "研判 judge"}


def stats(as_json: AsJson = False) -> None:
    """按阶段、原因与来源统计。How many were rejected, by stage, reason and source."""
    with _client() as client:
        groups = quarantine.stats(client, settings().topic)
    total = sum(group.rows for group in groups)
    document = {
        "topic": settings().topic,
        "total": total,
        "stages": _counted((group.stage, group.rows) for group in groups),
        "sources": _counted((group.source, group.rows) for group in groups),
        "groups": [{**group._asdict(), **_names(group.reason)} for group in groups],
    }
    emit(document, as_json, lambda: _stats(groups, total))


def _counted(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    counted: Counter[str] = Counter()
    for name, rows in pairs:
        counted[name] += rows
    return dict(counted.most_common())


def _stats(groups: list[quarantine.Group], total: int) -> RenderableType:
    if not groups:
        return "隔离区为空 nothing is quarantined"
    columns = (
        Column("阶段", "stage"),
        Column("原因", "reason"),
        Column("条数", "messages", right=True),
        Column("占比", "share", right=True),
        Column("待处理", "waiting", right=True),
        Column("已重放", "replayed", right=True),
        Column("已放弃", "discarded", right=True),
        Column("来源", "sources"),
        Column("最近一条", "latest"),
    )
    by_reason: dict[tuple[str, str], list[quarantine.Group]] = {}
    for group in groups:
        by_reason.setdefault((group.stage, group.reason), []).append(group)
    rows = sorted((_reason_row(*key, members, total) for key, members in by_reason.items()), key=lambda row: -row[2])
    return Group(table("隔离区 quarantine", columns, rows), f"共 {number(total)} 条 messages in all")


def _reason_row(stage: str, reason: str, groups: list[quarantine.Group], total: int) -> tuple[Any, ...]:
    rows = sum(group.rows for group in groups)
    sources = ", ".join(f"{group.source or '不详 unknown'} {group.rows}" for group in groups)
    latest = max(group.last_time for group in groups)
    states = (sum(getattr(group, state) for group in groups) for state in ("waiting", "replayed", "discarded"))
    return (_STAGES.get(stage, stage), _titled(reason), rows, f"{rows / total:.1%}", *states, sources, latest)


def list_(
    reason: Annotated[str, typer.Option(help="只看此原因 only this reason (id)")] = "",
    source: Annotated[str, typer.Option(help="只看此来源 only this source")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="最多条数 most messages shown")] = 50,
    as_json: AsJson = False,
) -> None:
    """最近被拒的消息。The messages rejected last, newest first."""
    _require_known(reason)
    with _client() as client:
        found = quarantine.listed(client, settings().topic, reason, source, limit)
    emit([_document(message) for message in found], as_json, lambda: _list(found))


def _require_known(reason: str) -> None:
    if reason and reason not in reasons():
        near = "".join(get_close_matches(reason, reasons(), 1))
        hint = f"did you mean {near}?" if near else f"known are {', '.join(reasons())}"
        raise UserFault(f"there is no reason {reason!r}; {hint}")


def _list(found: list[Quarantined]) -> RenderableType:
    columns = (
        Column("位置", "position"),
        Column("到达", "arrived"),
        Column("原因", "reason"),
        Column("状态", "state"),
        Column("来源", "source"),
        Column("细节", "detail"),
    )
    rows = ((_position(m), m.kafka_time, _titled(m.reason), _STATES[m.state], m.source or "-", m.detail) for m in found)
    hint = "gridstream quarantine show 分区:偏移量 PARTITION:OFFSET"
    return Group(table("隔离区 quarantine", columns, rows), f"{number(len(found))} 条 messages · {hint}")


def show(
    position: Annotated[str, typer.Argument(metavar="PARTITION:OFFSET", help="消息的分区与偏移量 where it stands")],
    as_json: AsJson = False,
) -> None:
    """一条被拒消息的全部（已脱敏）。One rejected message whole, masked."""
    at = quarantine.parse_position(position)
    with _client() as client:
        message = quarantine.show(client, settings().topic, at)
    emit(_document(message), as_json, lambda: _show(message))


def _show(message: Quarantined) -> RenderableType:
    lines = (
        ("位置 position", f"{settings().topic} {_position(message)}"),
        ("到达 arrived", moment(message.kafka_time)),
        ("隔离 quarantined", moment(message.quarantined_at)),
        ("状态 state", _STATES[message.state]),
        ("阶段 stage", _STAGES.get(message.stage, message.stage)),
        ("原因 reasons", "; ".join(map(_titled, message.reasons))),
        ("细节 detail", message.detail),
        ("来源 source", message.source or "-"),
        ("事件 event_id", message.event_id or "-"),
        ("上报 report_id", message.report_id or "-"),
        ("网格 grid_code", message.grid_code or "-"),
        ("键 key", message.message_key or "-"),
        ("大小 size", f"{number(message.payload_bytes)} bytes"),
        ("SHA-256", message.sha256),
    )
    shown = table("", (Column("项目", "item"), Column("内容", "content")), lines)
    return Group(shown, "内容（已脱敏） payload (masked):", Text(_pretty(message.payload) or "-"))


def _pretty(payload: str) -> str:
    try:
        return msgspec.json.format(payload, indent=2)
    except (msgspec.MsgspecError, ValueError):
        return payload


def _document(message: Quarantined) -> dict[str, Any]:
    return {**msgspec.structs.asdict(message), **_names(message.reason)}


Reason = Annotated[str, typer.Option(help="只此原因 only this reason (id)")]
From = Annotated[str, typer.Option(help="只此来源 only this source")]
Since = Annotated[datetime | None, typer.Option(help="此时起到达 arrived at or after (Asia/Shanghai)")]
Until = Annotated[datetime | None, typer.Option(help="此时前到达 arrived before (Asia/Shanghai)")]
Limit = Annotated[int, typer.Option(min=1, max=1_000_000, help="最多条数，先旧后新 most messages, oldest first")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="只看会做什么 only say what would be done")]


def replay(
    reason: Reason = "",
    source: From = "",
    since: Since = None,
    until: Until = None,
    limit: Limit = 100_000,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """把待处理的消息（已脱敏）再送入 Kafka，每条只一次。Send waiting messages (masked) through Kafka again, once."""
    chosen = _selection(reason, source, since, until, limit)
    with _client() as client:
        if dry_run:
            outcome = sending.replay(client, None, chosen)
        else:
            with Publisher(settings().kafka_bootstrap, settings().topic) as publisher:
                outcome = sending.replay(client, publisher, chosen)
    _tell(outcome, "重放 replayed", dry_run, as_json)


def discard(
    reason: Reason = "",
    source: From = "",
    since: Since = None,
    until: Until = None,
    limit: Limit = 100_000,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """放弃待处理的消息：只作记录，不删除。Give waiting messages up: recorded, nothing is deleted."""
    with _client() as client:
        outcome = sending.discard(client, _selection(reason, source, since, until, limit), dry_run)
    _tell(outcome, "放弃 discarded", dry_run, as_json)


def _selection(
    reason: str, source: str, since: datetime | None, until: datetime | None, limit: int
) -> sending.Selection:
    _require_known(reason)
    given = {"since": since, "until": until}
    times = {name: at if at.tzinfo else at.replace(tzinfo=SHANGHAI) for name, at in given.items() if at}
    return sending.Selection(settings().topic, reason, source, limit=limit, **times)


def _tell(outcome: sending.Outcome, verb: str, dry_run: bool, as_json: bool) -> None:
    skipped = [{"position": f"{s.position.partition}:{s.position.offset}", "why": s.why} for s in outcome.skipped]
    document = {"dry_run": dry_run, "done": outcome.done, "reasons": outcome.reasons, "skipped": skipped}
    why = Counter(s.why for s in outcome.skipped)
    mood = "（试运行 dry run）" if dry_run else ""
    lines = [f"{mood}{verb}: {number(outcome.done)} 条 messages"]
    lines += [f"  {_titled(name)}: {number(rows)}" for name, rows in outcome.reasons.items()]
    lines += [f"  跳过 skipped, {_UNFIT[name]}: {number(rows)}" for name, rows in why.items()]
    emit(document, as_json, lambda: Group(*lines))


_UNFIT = {"cut": "内容被截断 payload was cut", "not_json": "不是 JSON 对象 not a JSON object"}


def _names(reason: str) -> dict[str, str]:
    known = reasons().get(reason)
    return {"reason_zh": known.zh if known else "", "reason_en": known.en if known else ""}


def _titled(reason: str) -> str:
    known = reasons().get(reason)
    return f"{known.zh} {reason}" if known else reason


def _position(message: Quarantined) -> str:
    return f"{message.partition}:{message.offset}"


@contextmanager
def _client() -> Iterator[Client]:
    with closing(connect(settings().clickhouse("engineer"))) as client:
        yield client


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(help=_HELP, no_args_is_help=True)
    group.command()(stats)
    group.command("list")(list_)
    group.command()(show)
    group.command()(replay)
    group.command()(discard)
    app.add_typer(group, name="quarantine")
