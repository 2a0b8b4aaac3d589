"""Reading: how much was rejected, which messages, one message whole."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Group, RenderableType
from rich.text import Text

from infra.cli.quarantine.options import From, Rule, engineer
from infra.cli.quarantine.words import STAGES, STATES, names, titled
from infra.cli.shared.output import AsJson, Column, emit, moment, number, table
from infra.settings import settings
from pipelines.quarantine import read
from pipelines.quarantine.read import RejectedMessage
from pipelines.quarantine.selection import require_reason
from pipelines.services.positions import parse_position

_STATES = ("waiting", "replayed", "fixed", "discarded")
_UNSETTLED = "重放未确认 replaying: {} 条 messages → gridstream quarantine settle"


def stats(as_json: AsJson = False) -> None:
    """按原因、来源与规则统计。How many were rejected, by reason, source and rule."""
    with engineer() as client:
        groups = read.stats(client, settings().topic)
        rules = read.stats(client, settings().topic, by_rule=True)
    document = {
        "topic": settings().topic,
        "total": sum(group.rows for group in groups),
        "stages": _counted((group.stage, group.rows) for group in groups),
        "sources": _counted((group.source, group.rows) for group in groups),
        "groups": [_group(group) for group in groups],
        "rules": [{**_group(group), "rule": group.rule} for group in rules],
    }
    emit(document, as_json, lambda: _stats(groups, rules))


def _group(group: read.RejectCount) -> dict[str, Any]:
    return {name: value for name, value in group._asdict().items() if name != "rule"} | names(group.reason)


def _counted(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    counted: Counter[str] = Counter()
    for name, rows in pairs:
        counted[name] += rows
    return dict(counted.most_common())


def _stats(groups: list[read.RejectCount], rules: list[read.RejectCount]) -> RenderableType:
    if not groups:
        return "隔离区为空 nothing is quarantined"
    total = sum(group.rows for group in groups)
    return Group(
        _breakdown("按原因 by reason", "reason", groups, lambda group: group.reason, total),
        _breakdown(
            "按规则 by rule（一条消息可违反数条 a message may break several）", "rule", rules, lambda g: g.rule, total
        ),
        f"共 {number(total)} 条 messages in all",
        *_unsettled(sum(group.replaying for group in groups)),
    )


def _unsettled(rows: int) -> list[str]:
    return [_UNSETTLED.format(number(rows))] if rows else []


def _breakdown(
    title: str, what: str, groups: list[read.RejectCount], key: Callable[[read.RejectCount], str], total: int
) -> RenderableType:
    columns = (
        Column("阶段", "stage"),
        Column("原因" if what == "reason" else "规则", what),
        Column("条数", "messages", right=True),
        Column("占比", "share", right=True),
        *(Column(STATES[state].split()[0], state, right=True) for state in _STATES),
        Column("来源", "sources"),
        Column("最近一条", "latest"),
    )
    members: dict[tuple[str, str], list[read.RejectCount]] = {}
    for group in groups:
        members.setdefault((group.stage, key(group)), []).append(group)
    rows = sorted((_row(*name, found, total) for name, found in members.items()), key=lambda row: -row[2])
    return table(title, columns, rows)


def _row(stage: str, name: str, groups: list[read.RejectCount], total: int) -> tuple[Any, ...]:
    rows = sum(group.rows for group in groups)
    by_source = _counted((group.source or "不详 unknown", group.rows) for group in groups)
    sources = ", ".join(f"{source} {count}" for source, count in by_source.items())
    states = (sum(getattr(group, state) for group in groups) for state in _STATES)
    latest = max(group.last_time for group in groups)
    return (STAGES.get(stage, stage), titled(name), rows, f"{rows / total:.1%}", *states, sources, latest)


def list_(
    reason: Annotated[str, typer.Option(help="只看此原因 only this reason (id)")] = "",
    source: From = "",
    rule: Rule = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="最多条数 most messages shown")] = 50,
    as_json: AsJson = False,
) -> None:
    """最近被拒的消息。The messages rejected last, newest first."""
    require_reason(reason)
    with engineer() as client:
        found = read.listed(client, settings().topic, reason, source, rule, limit)
    emit([_document(message) for message in found], as_json, lambda: _list(found))


def _list(found: list[RejectedMessage]) -> RenderableType:
    columns = (
        Column("位置", "position"),
        Column("到达", "arrived"),
        Column("规则", "rules"),
        Column("状态", "state"),
        Column("来源", "source"),
        Column("细节", "detail"),
    )
    rows = (
        (_position(m), m.kafka_time, "\n".join(map(titled, m.rules)), STATES[m.state], m.source or "-", m.detail)
        for m in found
    )
    hint = "gridstream quarantine show 分区:偏移量 PARTITION:OFFSET"
    count = f"{number(len(found))} 条 messages · {hint}"
    unsettled = _unsettled(sum(m.state == "replaying" for m in found))
    return Group(table("隔离区 quarantine", columns, rows), count, *unsettled)


def show(
    position: Annotated[str, typer.Argument(metavar="PARTITION:OFFSET", help="消息的分区与偏移量 where it stands")],
    as_json: AsJson = False,
) -> None:
    """一条被拒消息的全部（已脱敏）。One rejected message whole, masked."""
    at = parse_position(position)
    with engineer() as client:
        message = read.show(client, settings().topic, at)
    emit(_document(message), as_json, lambda: _show(message))


def _show(message: RejectedMessage) -> RenderableType:
    lines = (
        ("位置 position", f"{settings().topic} {_position(message)}"),
        ("到达 arrived", moment(message.kafka_time)),
        ("隔离 quarantined", moment(message.quarantined_at)),
        ("状态 state", STATES[message.state]),
        ("修正 fix", message.fix or "-"),
        ("阶段 stage", STAGES.get(message.stage, message.stage)),
        ("原因 reasons", "; ".join(map(titled, message.reasons))),
        ("规则 rules", "; ".join(message.rules)),
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


def _document(message: RejectedMessage) -> dict[str, Any]:
    return {**msgspec.structs.asdict(message), **names(message.reason)}


def _position(message: RejectedMessage) -> str:
    return f"{message.partition}:{message.offset}"
