"""Settle claims: what became of messages that a replay claimed and then left."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from infra.cli.quarantine.options import DryRun
from infra.cli.quarantine.words import WHY_UNKNOWN
from infra.cli.shared.output import EXIT_FAILS, AsJson, emit, number, progress
from infra.settings import settings
from pipelines.quarantine import settle as settling
from pipelines.quarantine.settle import SAFE_AGE, Settled

_PRINTED = 5  # positions in a line
_EXAMPLES = 100  # positions in a document

OlderThan = Annotated[
    int,
    typer.Option(
        min=SAFE_AGE // 60,
        help="只看多少分钟前取走的；更短则发送者可能仍在发送 only claims at least this many minutes old; the run of a "
        "younger one may still be sending",
    ),
]
GiveUp = Annotated[
    bool, typer.Option("--give-up", help="无从得知者记为放弃 discard messages whose delivery cannot be determined")
]


def settle(
    older_than: OlderThan = SAFE_AGE // 60, give_up: GiveUp = False, dry_run: DryRun = False, as_json: AsJson = False
) -> None:
    """查清重放未确认的消息：在 Kafka 中者记为已重放，不在者放回待处理；绝不重发，绝不猜测。

    A replay records `replaying` before it sends and `replayed` afterwards. A replay that dies in
    between (killed, or Kafka did not answer) leaves its messages at `replaying`: see quarantine
    stats and list. This command reads the topic from its end at the time of the claim. A message
    that is found is recorded as replayed, with its position. A message that is not there is
    released: it waits again and can be replayed, fixed or discarded. Nothing is sent. A second run
    changes nothing.

    If Kafka's retention has deleted messages of that time, or the topic was recreated, the delivery
    cannot be determined: such messages stay as they are until --give-up. Exit code 1: some stay so.
    """
    config = settings()
    with config.client("engineer") as client, progress("读取 reading Kafka", None, quiet=as_json) as advance:
        settled = settling.settle(
            client,
            config.kafka_bootstrap,
            config.topic,
            older_than=older_than * 60,
            give_up=give_up,
            dry_run=dry_run,
            advance=advance,
        )
    emit(_as_json(settled, dry_run), as_json, lambda: _render(settled, dry_run, older_than))
    if settled.unknown and not give_up:
        raise SystemExit(EXIT_FAILS)


def _as_json(settled: Settled, dry_run: bool) -> dict[str, Any]:
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
            {"position": str(claim.position), "found_at": str(position)}
            for claim, position in settled.replayed[:_EXAMPLES]
        ],
        "released_examples": [str(claim.position) for claim in settled.released[:_EXAMPLES]],
        "unknown_examples": [
            {"position": str(unknown.claim.position), "why": unknown.why} for unknown in settled.unknown[:_EXAMPLES]
        ],
    }


def _render(settled: Settled, dry_run: bool, older_than: int) -> RenderableType:
    prefix = "（试运行 dry run）" if dry_run else ""
    replayed = [f"{claim.position} → {position}" for claim, position in settled.replayed]
    released = [str(claim.position) for claim in settled.released]
    lines = [
        *_render_positions(f"{prefix}已在 Kafka，记为已重放 found in Kafka, recorded as replayed", replayed),
        *_render_positions(f"{prefix}不在 Kafka，放回待处理 not in Kafka, waiting again", released),
        *_render_unknown(settled, prefix),
    ]
    if settled.recent:
        lines.append(
            f"取走不足 {older_than} 分钟，未动 claimed less than {older_than} minutes ago, left alone: "
            f"{number(settled.recent)} 条 messages"
        )
    if settled.released and not dry_run:
        lines.append("再发送 to send them again: gridstream quarantine replay")
    return Group(*(lines or ["没有重放未确认的消息 nothing is left at replaying"]))


def _render_unknown(settled: Settled, prefix: str) -> list[RenderableType]:
    outcome = "放弃 discarded" if settled.given_up else "原样留下 left as they are"
    lines: list[RenderableType] = []
    for why, _ in settled.why_unknown.most_common():
        positions = [str(unknown.claim.position) for unknown in settled.unknown if unknown.why == why]
        label = f"{prefix}无从得知，{outcome}, delivery cannot be determined: {WHY_UNKNOWN[why]}"
        lines += _render_positions(label, positions, "yellow")
    if lines and not settled.given_up:
        lines.append("若要放弃 to discard them: gridstream quarantine settle --give-up")
    return lines


def _render_positions(label: str, positions: Sequence[str], style: str = "") -> list[RenderableType]:
    """The number of positions, and the first few; empty when there are none."""
    if not positions:
        return []
    more = " …" if len(positions) > _PRINTED else ""
    return [
        Text(f"{label}: {number(len(positions))} 条 messages", style),
        f"  {', '.join(positions[:_PRINTED])}{more}",
    ]
