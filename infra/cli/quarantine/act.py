"""Acting: repair, send again, give up."""

from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from infra.cli.quarantine.options import choosing, engineer
from infra.cli.quarantine.words import WHY, titled
from infra.cli.shared.output import EXIT_FAILS, AsJson, emit, number
from infra.settings import settings
from pipelines.errors import UserFault
from pipelines.privacy.mask import masker, read_patterns
from pipelines.quarantine import replay as sending
from pipelines.quarantine.repair import Assignments, Patch, Repair
from pipelines.quarantine.replay import Policy, ReplayRequest, ReplayResult, Sample, Skipped
from pipelines.quarantine.selection import Selection

DryRun = Annotated[bool, typer.Option("--dry-run", help="只看会做什么 only say what would be done")]
OnError = Annotated[
    Policy,
    typer.Option(
        help="不能发送或仍会被拒者：跳过、停止、照发、放弃 what cannot be sent or would be rejected again: "
        "skip it, stop there, send it all the same (it waits in quarantine anew), give it up (drop)"
    ),
]


@choosing
def replay(chosen: Selection, policy: OnError = Policy.SKIP, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """把待处理的消息（已脱敏）再送入 Kafka，每条只一次；先按现行规则试判。

    Sends waiting messages (masked) through Kafka again, once each. The present rules judge them first. Exit code 1: it
    stopped at an error.
    """
    _send(ReplayRequest(chosen, policy), dry_run, as_json)


@choosing
def fix(
    chosen: Selection,
    patch: Annotated[
        str | None, typer.Option(help="JSON 补丁（RFC 6902）或其文件 a JSON patch, or a file that holds one")
    ] = None,
    assign: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="FIELD=SQL",
            help="字段 = ClickHouse 表达式，可多次 a field and an expression, such as severity=2 or "
            "grid_code=concat(substring(grid_code, 1, 9), '001'); fields are text by their names, NULL removes one; "
            "may be repeated",
        ),
    ] = None,
    samples: Annotated[int, typer.Option(min=0, max=1000, help="显示几条差异 how many differences to show")] = 5,
    policy: OnError = Policy.SKIP,
    apply: Annotated[bool, typer.Option("--apply", help="发送修正后的消息 send the repaired messages")] = False,
    as_json: AsJson = False,
) -> None:
    """修正待处理的消息：先试运行，显示差异与可通过的条数；--apply 再送入 Kafka，每条只一次。

    Repairs waiting messages. Without --apply it is a dry run: differences, and how many would pass the present rules.
    With it the repaired messages go through Kafka, once each, and the repair is recorded.
    """
    masks = masker(read_patterns(settings().mask_patterns))
    order = ReplayRequest(chosen, policy, _repair(patch, assign or []), 0 if apply and not as_json else samples, masks)
    _send(order, not apply, as_json)


@choosing
def discard(chosen: Selection, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """放弃待处理的消息：只作记录，不删除。Give waiting messages up: recorded, nothing is deleted."""
    with engineer() as client:
        outcome = sending.discard(client, chosen, dry_run)
    emit(_document(outcome, dry_run), as_json, lambda: _told(outcome, dry_run))


def _repair(patch: str | None, assign: list[str]) -> Repair:
    if (patch is None) == (not assign):
        raise UserFault("give either --patch or --set, such as: gridstream quarantine fix --set severity=2")
    return Assignments.read(assign) if patch is None else Patch.read(patch)


def _send(order: ReplayRequest, dry_run: bool, as_json: bool) -> None:
    with engineer() as client:
        outcome = sending.run(client, settings().kafka_bootstrap, order, dry_run)
    emit(_document(outcome, dry_run), as_json, lambda: _told(outcome, dry_run, order.repair is not None))
    if outcome.stopped:
        raise SystemExit(EXIT_FAILS)


def _document(outcome: ReplayResult, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "looked_at": outcome.looked_at,
        "passing": outcome.passing,
        "done": outcome.done,
        "discarded": outcome.discarded,
        "reasons": outcome.reasons,
        "still_rejected": outcome.still,
        "skipped": outcome.skipped,
        "skipped_examples": [_skipped(one) for one in outcome.examples],
        "stopped": _skipped(outcome.stopped) if outcome.stopped else None,
        "samples": [one._asdict() | {"position": str(one.position)} for one in outcome.samples],
    }


def _skipped(one: Skipped) -> dict[str, str]:
    return one._asdict() | {"position": str(one.position)}


def _told(outcome: ReplayResult, dry_run: bool, repaired: bool = False) -> RenderableType:
    mood = "（试运行 dry run）" if dry_run else ""
    verb = "修正并发送 repaired and sent" if repaired else "重放 replayed"
    lines: list[RenderableType] = [_sampled(one) for one in outcome.samples]
    if outcome.looked_at:
        lines.append(
            f"按现行规则可通过 pass the present rules: {number(outcome.passing)} / {number(outcome.looked_at)}"
        )
        lines += [f"  仍会被拒 still rejected, {titled(name)}: {number(n)}" for name, n in outcome.still.most_common()]
    if outcome.done or not outcome.discarded:
        lines.append(f"{mood}{verb}: {number(outcome.done)} 条 messages")
    if outcome.discarded:
        lines.append(f"{mood}放弃 discarded: {number(outcome.discarded)} 条 messages")
    lines += [f"  {titled(name)}: {number(rows)}" for name, rows in outcome.reasons.most_common()]
    lines += [f"  跳过 skipped, {WHY[why]}: {number(rows)}" for why, rows in outcome.skipped.most_common()]
    if outcome.stopped:
        at = outcome.stopped
        lines.append(Text(f"停于 stopped at {at.position}: {WHY[at.why]} {at.detail}", "bold red"))
    if dry_run and repaired and outcome.done:
        lines.append("加 --apply 发送 add --apply to send them")
    return Group(*lines)


def _sampled(sample: Sample) -> RenderableType:
    fate = "仍被拒 rejected still: " + ", ".join(sample.still) if sample.still else "可通过 passes"
    shown = Text(f"{sample.position} {titled(sample.reason)} → {fate}\n", "bold")
    for line in sample.changes or ["  （无变化 nothing changes）"]:
        shown.append(f"  {line}\n", "red" if line.startswith("-") else "green")
    return shown
