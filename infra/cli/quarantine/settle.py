"""Settling: what became of messages that a replay claimed and then left."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from infra.cli.quarantine.act import DryRun
from infra.cli.quarantine.options import engineer
from infra.cli.quarantine.words import UNKNOWN
from infra.cli.shared.output import EXIT_FAILS, AsJson, emit, number, progress
from infra.settings import settings
from pipelines.quarantine import settle as settling
from pipelines.quarantine.settle import SAFE_AGE, Settled

_SHOWN = 5
_LISTED = 100  # examples in a document

OlderThan = Annotated[
    int,
    typer.Option(
        min=SAFE_AGE // 60,
        help="只看多少分钟前取走的；更短则发送者可能仍在发送 only those claimed this many minutes ago or earlier; of "
        "younger ones a sender may still be sending",
    ),
]
GiveUp = Annotated[
    bool,
    typer.Option(
        "--give-up", help="无从得知者记为放弃 discard those of which it cannot be known whether they were sent"
    ),
]


def settle(
    older_than: OlderThan = SAFE_AGE // 60, give_up: GiveUp = False, dry_run: DryRun = False, as_json: AsJson = False
) -> None:
    """查清重放未确认的消息：在 Kafka 中者记为已重放，不在者放回待处理；绝不重发，绝不猜测。

    A replay records `replaying` before it sends and `replayed` afterwards. One that dies in between (killed, or Kafka
    did not answer) leaves its messages at `replaying`: see quarantine stats and list. This command reads the topic from
    where it stood at their claim. What is found is recorded as replayed, with its place; what is not is released: it
    waits again and can be replayed, fixed or discarded. Nothing is sent. A second run changes nothing.

    Where Kafka's retention has passed that time, or the topic was made anew, it cannot be known: such messages stay as
    they are until --give-up. Exit code 1: some stay so.
    """
    now = settings()
    with engineer() as client, progress("读取 reading Kafka", None, quiet=as_json) as advance:
        settled = settling.settle(
            client,
            now.kafka_bootstrap,
            now.topic,
            older_than=older_than * 60,
            give_up=give_up,
            dry_run=dry_run,
            watch=advance,
        )
    emit(_document(settled, dry_run), as_json, lambda: _told(settled, dry_run, older_than))
    if settled.unknown and not give_up:
        raise SystemExit(EXIT_FAILS)


def _document(settled: Settled, dry_run: bool) -> dict[str, Any]:
    unknown, given_up = (0, len(settled.unknown)) if settled.given_up else (len(settled.unknown), 0)
    return {
        "dry_run": dry_run,
        "replayed": len(settled.replayed),
        "released": len(settled.released),
        "unknown": unknown,
        "given_up": given_up,
        "why_unknown": settled.why_unknown,
        "recent": settled.recent,
        "messages_read": settled.read,
        "replayed_examples": [
            {"position": str(one.position), "found_at": f"{at.partition}:{at.offset}"}
            for one, at in settled.replayed[:_LISTED]
        ],
        "released_examples": [str(one.position) for one in settled.released[:_LISTED]],
        "unknown_examples": [
            {"position": str(one.message.position), "why": one.why} for one in settled.unknown[:_LISTED]
        ],
    }


def _told(settled: Settled, dry_run: bool, older_than: int) -> RenderableType:
    mood = "（试运行 dry run）" if dry_run else ""
    found = [f"{one.position} → {at.partition}:{at.offset}" for one, at in settled.replayed]
    released = [str(one.position) for one in settled.released]
    lines = [
        *_some(f"{mood}已在 Kafka，记为已重放 found in Kafka, recorded as replayed", found),
        *_some(f"{mood}不在 Kafka，放回待处理 not in Kafka, waiting again", released),
        *_unknown(settled, mood),
    ]
    if settled.recent:
        lines.append(
            f"取走不足 {older_than} 分钟，未动 claimed less than {older_than} minutes ago, left alone: "
            f"{number(settled.recent)} 条 messages"
        )
    if settled.released and not dry_run:
        lines.append("再发送 to send them again: gridstream quarantine replay")
    return Group(*(lines or ["没有重放未确认的消息 nothing is left at replaying"]))


def _unknown(settled: Settled, mood: str) -> list[RenderableType]:
    fate = "放弃 discarded" if settled.given_up else "原样留下 left as they are"
    lines: list[RenderableType] = []
    for why, _ in settled.why_unknown.most_common():
        members = [str(one.message.position) for one in settled.unknown if one.why == why]
        lines += _some(f"{mood}无从得知，{fate}, it cannot be known: {UNKNOWN[why]}", members, "yellow")
    if lines and not settled.given_up:
        lines.append("若要放弃 to discard them: gridstream quarantine settle --give-up")
    return lines


def _some(what: str, members: Sequence[str], style: str = "") -> list[RenderableType]:
    """How many, and the first few; nothing of nothing."""
    if not members:
        return []
    more = " …" if len(members) > _SHOWN else ""
    return [Text(f"{what}: {number(len(members))} 条 messages", style), f"  {', '.join(members[:_SHOWN])}{more}"]
