"""Read the quarantine: how much was rejected, which messages, one message with all its fields."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Group, RenderableType
from rich.text import Text

from infra.cli.quarantine.options import Rule, Source
from infra.cli.quarantine.words import STAGES, STATES, names, titled
from infra.cli.shared.output import AsJson, Column, emit, moment, number, table
from infra.settings import settings
from pipelines.quarantine import read
from pipelines.quarantine.message import RejectedMessage
from pipelines.quarantine.read import RejectCount
from pipelines.quarantine.selection import require_reason
from pipelines.services.positions import parse_position

_STATES = ("waiting", "replayed", "fixed", "discarded")
_REPLAYING = "重放未确认 replaying: {} 条 messages → gridstream quarantine settle"


def stats(as_json: AsJson = False) -> None:
    """按原因、来源与规则统计。How many were rejected, by reason, source and rule."""
    with settings().client("engineer") as client:
        groups = read.stats(client, settings().topic)
        rules = read.stats(client, settings().topic, by_rule=True)
    document = {
        "topic": settings().topic,
        "total": sum(group.rows for group in groups),
        "stages": _sums((group.stage, group.rows) for group in groups),
        "sources": _sums((group.source, group.rows) for group in groups),
        "groups": [_group_as_json(group) for group in groups],
        "rules": [{**_group_as_json(group), "rule": group.rule} for group in rules],
    }
    emit(document, as_json, lambda: _render_stats(groups, rules))


def _group_as_json(group: RejectCount) -> dict[str, Any]:
    return {name: value for name, value in group._asdict().items() if name != "rule"} | names(group.reason)


def _sums(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for name, rows in pairs:
        sums[name] += rows
    return dict(sums.most_common())


def _render_stats(groups: list[RejectCount], rules: list[RejectCount]) -> RenderableType:
    if not groups:
        return "隔离区为空 nothing is quarantined"
    total = sum(group.rows for group in groups)
    return Group(
        _breakdown("按原因 by reason", "reason", groups, lambda group: group.reason, total),
        _breakdown(
            "按规则 by rule（一条消息可违反数条 a message may break several）", "rule", rules, lambda g: g.rule, total
        ),
        f"共 {number(total)} 条 messages in all",
        *_replaying_hint(sum(group.replaying for group in groups)),
    )


def _replaying_hint(rows: int) -> list[str]:
    return [_REPLAYING.format(number(rows))] if rows else []


def _breakdown(
    title: str, what: str, groups: list[RejectCount], key: Callable[[RejectCount], str], total: int
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
    by_name: dict[tuple[str, str], list[RejectCount]] = {}
    for group in groups:
        by_name.setdefault((group.stage, key(group)), []).append(group)
    rows = sorted((_row(*name, members, total) for name, members in by_name.items()), key=lambda row: -row[2])
    return table(title, columns, rows)


def _row(stage: str, name: str, groups: list[RejectCount], total: int) -> tuple[Any, ...]:
    rows = sum(group.rows for group in groups)
    by_source = _sums((group.source or "不详 unknown", group.rows) for group in groups)
    sources = ", ".join(f"{source} {count}" for source, count in by_source.items())
    states = (sum(getattr(group, state) for group in groups) for state in _STATES)
    latest = max(group.last_time for group in groups)
    return (STAGES.get(stage, stage), titled(name), rows, f"{rows / total:.1%}", *states, sources, latest)


def list_(
    reason: Annotated[str, typer.Option(help="只看此原因 only this reason (id)")] = "",
    source: Source = "",
    rule: Rule = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="最多条数 most messages shown")] = 50,
    as_json: AsJson = False,
) -> None:
    """最近被拒的消息。The latest rejected messages, newest first."""
    require_reason(reason)
    with settings().client("engineer") as client:
        messages = read.listed(client, settings().topic, reason, source, rule, limit)
    emit([_as_json(message) for message in messages], as_json, lambda: _render_list(messages))


def _render_list(messages: list[RejectedMessage]) -> RenderableType:
    columns = (
        Column("位置", "position"),
        Column("到达", "arrived"),
        Column("规则", "rules"),
        Column("状态", "state"),
        Column("来源", "source"),
        Column("细节", "detail"),
    )
    rows = (
        (str(m.position), m.kafka_time, "\n".join(map(titled, m.rules)), STATES[m.state], m.source or "-", m.detail)
        for m in messages
    )
    count = f"{number(len(messages))} 条 messages · gridstream quarantine show 分区:偏移量 PARTITION:OFFSET"
    replaying = sum(m.state == "replaying" for m in messages)
    return Group(table("隔离区 quarantine", columns, rows), count, *_replaying_hint(replaying))


def show(
    position: Annotated[
        str, typer.Argument(metavar="PARTITION:OFFSET", help="消息的分区与偏移量 position of the message")
    ],
    as_json: AsJson = False,
) -> None:
    """一条被拒消息的全部（已脱敏）。One rejected message with all its fields, masked."""
    wanted = parse_position(position)
    with settings().client("engineer") as client:
        message = read.show(client, settings().topic, wanted)
    emit(_as_json(message), as_json, lambda: _render_message(message))


def _render_message(message: RejectedMessage) -> RenderableType:
    lines = (
        ("位置 position", f"{settings().topic} {message.position}"),
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
    fields = table("", (Column("项目", "item"), Column("内容", "content")), lines)
    return Group(fields, "内容（已脱敏） payload (masked):", Text(_pretty(message.payload) or "-"))


def _pretty(payload: str) -> str:
    try:
        return msgspec.json.format(payload, indent=2)
    except (msgspec.MsgspecError, ValueError):
        return payload


def _as_json(message: RejectedMessage) -> dict[str, Any]:
    fields = msgspec.structs.asdict(message)
    del fields["computed"]  # of repairs only
    return fields | names(message.reason)
