"""Work on rejected messages: repair them, send them again, or give them up."""

from functools import partial
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from infra.cli.quarantine.options import DryRun, Limit, Reason, Rule, Since, Source, Until
from infra.cli.quarantine.words import WHY, titled
from infra.cli.shared.output import EXIT_FAILS, AsJson, emit, number
from infra.settings import settings
from pipelines.errors import UserFault
from pipelines.privacy.mask import masker, read_patterns
from pipelines.quarantine import replay as replaying
from pipelines.quarantine.repair import Assignments, Patch, Repair
from pipelines.quarantine.replay import Policy, ReplayRequest, ReplayResult, Sample, Skipped
from pipelines.quarantine.selection import Selection

OnError = Annotated[
    Policy,
    typer.Option(
        help="不能发送或仍会被拒者：跳过、停止、照发、放弃 what to do with messages that cannot be sent or would be "
        "rejected again: skip, stop there, send anyway (they will wait in quarantine as new rows), give up (drop)"
    ),
]


def replay(
    reason: Reason = "",
    source: Source = "",
    rule: Rule = "",
    since: Since = None,
    until: Until = None,
    limit: Limit = 100_000,
    policy: OnError = Policy.SKIP,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """把待处理的消息（已脱敏）再送入 Kafka，每条只一次；先按现行规则试判。

    Sends waiting messages (masked) to Kafka again, each once. The present rules judge them first.
    Exit code 1: it stopped at an error.
    """
    selection = Selection.of(settings().topic, reason, source, rule, since, until, limit)
    _send(ReplayRequest(selection, policy), dry_run, as_json)


def fix(
    reason: Reason = "",
    source: Source = "",
    rule: Rule = "",
    since: Since = None,
    until: Until = None,
    limit: Limit = 100_000,
    patch: Annotated[
        str | None, typer.Option(help="JSON 补丁（RFC 6902）或其文件 a JSON patch, or a file that holds one")
    ] = None,
    assign: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="FIELD=SQL",
            help="字段 = ClickHouse 表达式，可多次 a field and an expression, such as severity=2 or "
            "grid_code=concat(substring(grid_code, 1, 9), '001'); the name of a field is its value as text, NULL "
            "removes the field; may be repeated",
        ),
    ] = None,
    samples: Annotated[int, typer.Option(min=0, max=1000, help="显示几条差异 how many differences to show")] = 5,
    policy: OnError = Policy.SKIP,
    apply: Annotated[bool, typer.Option("--apply", help="发送修正后的消息 send the repaired messages")] = False,
    as_json: AsJson = False,
) -> None:
    """修正待处理的消息：先试运行，显示差异与可通过的条数；--apply 再送入 Kafka，每条只一次。

    Repairs waiting messages. Without --apply it is a dry run: differences, and how many would pass
    the present rules. With --apply the repaired messages are sent to Kafka, each once, and the
    repair is recorded.
    """
    selection = Selection.of(settings().topic, reason, source, rule, since, until, limit)
    masks = masker(read_patterns(settings().mask_patterns))
    shown = 0 if apply and not as_json else samples
    _send(ReplayRequest(selection, policy, _repair(patch, assign or []), shown, masks), not apply, as_json)


def discard(
    reason: Reason = "",
    source: Source = "",
    rule: Rule = "",
    since: Since = None,
    until: Until = None,
    limit: Limit = 100_000,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """放弃待处理的消息：只作记录，不删除。Give waiting messages up: recorded, nothing is deleted."""
    selection = Selection.of(settings().topic, reason, source, rule, since, until, limit)
    with settings().client("engineer") as client:
        result = replaying.discard(client, selection, dry_run)
    emit(_as_json(result, dry_run), as_json, lambda: _render(result, dry_run))


def _repair(patch: str | None, assign: list[str]) -> Repair:
    if (patch is None) == (not assign):
        raise UserFault(
            "请用 --patch 或 --set 之一 give either --patch or --set, "
            "such as: gridstream quarantine fix --set severity=2"
        )
    return Assignments.read(assign) if patch is None else Patch.read(patch)


def _send(request: ReplayRequest, dry_run: bool, as_json: bool) -> None:
    repairer = partial(settings().client, "repair")
    with settings().client("engineer") as client:
        result = replaying.run(client, settings().kafka_bootstrap, request, dry_run, repairer)
    emit(_as_json(result, dry_run), as_json, lambda: _render(result, dry_run, request.repair is not None))
    if result.stopped:
        raise SystemExit(EXIT_FAILS)


def _as_json(result: ReplayResult, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "looked_at": result.looked_at,
        "passing": result.passing,
        "done": result.done,
        "discarded": result.discarded,
        "reasons": result.reasons,
        "still_rejected": result.still,
        "skipped": result.skipped,
        "skipped_examples": [_with_position(skipped) for skipped in result.examples],
        "stopped": _with_position(result.stopped) if result.stopped else None,
        "samples": [_with_position(sample) for sample in result.samples],
    }


def _with_position(item: Skipped | Sample) -> dict[str, Any]:
    return item._asdict() | {"position": str(item.position)}


def _render(result: ReplayResult, dry_run: bool, repaired: bool = False) -> RenderableType:
    prefix = "（试运行 dry run）" if dry_run else ""
    verb = "修正并发送 repaired and sent" if repaired else "重放 replayed"
    lines: list[RenderableType] = [_render_sample(sample) for sample in result.samples]
    if result.looked_at:
        lines.append(f"按现行规则可通过 pass the present rules: {number(result.passing)} / {number(result.looked_at)}")
        lines += [f"  仍会被拒 still rejected, {titled(name)}: {number(n)}" for name, n in result.still.most_common()]
    if result.done or not result.discarded:
        lines.append(f"{prefix}{verb}: {number(result.done)} 条 messages")
    if result.discarded:
        lines.append(f"{prefix}放弃 discarded: {number(result.discarded)} 条 messages")
    lines += [f"  {titled(name)}: {number(rows)}" for name, rows in result.reasons.most_common()]
    lines += [f"  跳过 skipped, {WHY[why]}: {number(rows)}" for why, rows in result.skipped.most_common()]
    if stopped := result.stopped:
        lines.append(Text(f"停于 stopped at {stopped.position}: {WHY[stopped.why]} {stopped.detail}", "bold red"))
    if dry_run and repaired and result.done:
        lines.append("加 --apply 发送 add --apply to send them")
    return Group(*lines)


def _render_sample(sample: Sample) -> RenderableType:
    verdict = "仍被拒 still rejected: " + ", ".join(sample.still) if sample.still else "可通过 passes"
    text = Text(f"{sample.position} {titled(sample.reason)} → {verdict}\n", "bold")
    for line in sample.changes or ["  （无变化 nothing changes）"]:
        text.append(f"  {line}\n", "red" if line.startswith("-") else "green")
    return text
