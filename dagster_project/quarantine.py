"""Dagster jobs for rejected messages, as `gridstream quarantine fix`, `replay`, `discard` and
`settle`.

All four are a dry run by default. A job that runs twice acts once: a message with a recorded action
is not taken again.
"""

from datetime import datetime
from enum import Enum
from functools import partial
from typing import Any

import dagster as dg
from pydantic import Field

from dagster_project.faults import RETRIES, faults
from dagster_project.resources import Services
from pipelines.errors import UserFault
from pipelines.privacy.mask import masker, read_patterns
from pipelines.quarantine import replay as replaying
from pipelines.quarantine.repair import Assignments, Patch, Repair
from pipelines.quarantine.replay import Policy, ReplayRequest, ReplayResult
from pipelines.quarantine.selection import Selection
from pipelines.quarantine.settle import SAFE_AGE, settle

_SAMPLES = 5


class OnError(Enum):
    """What to do with a message that cannot be sent or would be rejected again; see
    `quarantine.replay.Policy`."""

    skip = "skip"
    stop_on_error = "stop-on-error"
    reinsert = "reinsert"
    drop = "drop"


class SelectionConfig(dg.Config):
    """Which waiting messages, and whether it is a dry run."""

    reason: str = Field("", description="只此原因 only this reason (id of schemas/reasons.yaml); empty: all")
    source: str = Field("", description="只此来源 only this source; empty: all")
    rule: str = Field("", description="只此规则 only this rule, such as bad_value:severity; empty: all")
    since: str = Field("", description="此时起到达 arrived at or after, such as 2026-11-01T08:00 (Asia/Shanghai)")
    until: str = Field("", description="此时前到达 arrived before")
    limit: int = Field(100_000, ge=1, le=1_000_000, description="最多条数，先旧后新 most messages, oldest first")
    dry_run: bool = Field(True, description="只看会做什么 only report what would be done")

    def selection(self, topic: str) -> Selection:
        """Raises UserFault: an unknown reason, a malformed time."""
        since, until = (_moment(text) if text else None for text in (self.since, self.until))
        return Selection.of(topic, self.reason, self.source, self.rule, since, until, self.limit)


class ReplayConfig(SelectionConfig):
    """What to do with messages that do not pass."""

    policy: OnError = Field(
        OnError.skip,
        description="不能发送或仍会被拒者 what to do with messages that cannot be sent or would be rejected again",
    )


class FixConfig(ReplayConfig):
    """The repair: a patch or assignments."""

    patch: str = Field("", description="JSON 补丁 a JSON patch (RFC 6902)")
    assign: list[str] = Field([], description="字段=ClickHouse 表达式 FIELD=SQL, such as severity=2")

    def repair(self) -> Repair:
        """Raises UserFault: neither or both are given, or one is malformed."""
        if bool(self.patch) == bool(self.assign):
            raise UserFault('请给 patch 或 assign 之一 give either patch or assign, such as assign: ["severity=2"]')
        return Patch.read(self.patch) if self.patch else Assignments.read(self.assign)


class SettleConfig(dg.Config):
    """Which claims to look at, and whether it is a dry run."""

    older_than: int = Field(
        SAFE_AGE // 60, ge=SAFE_AGE // 60, description="只看多少分钟前取走的 only claims at least this many minutes old"
    )
    give_up: bool = Field(False, description="无从得知者记为放弃 discard messages whose delivery cannot be determined")
    dry_run: bool = Field(True, description="只看会做什么 only report what would be done")


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise UserFault(f"{text!r} 不是时间 is not a time; 例如 write it like 2026-11-01T08:00") from None


@dg.op(retry_policy=RETRIES)
def replay_waiting(context: dg.OpExecutionContext, services: Services, config: ReplayConfig) -> None:
    """Judge waiting messages by the present rules and send those that pass again."""
    with faults():
        selection = config.selection(services.settings.topic)
        result = _replay(services, ReplayRequest(selection, Policy(config.policy.value)), config.dry_run)
        _report(context, result, config.dry_run)


@dg.op(retry_policy=RETRIES)
def fix_waiting(context: dg.OpExecutionContext, services: Services, config: FixConfig) -> None:
    """Repair waiting messages, judge them by the present rules, and send those that pass."""
    with faults():
        selection, repair = config.selection(services.settings.topic), config.repair()
        masks = masker(read_patterns(services.settings.mask_patterns))
        request = ReplayRequest(selection, Policy(config.policy.value), repair, _SAMPLES, masks)
        _report(context, _replay(services, request, config.dry_run), config.dry_run)


@dg.op(retry_policy=RETRIES)
def discard_waiting(context: dg.OpExecutionContext, services: Services, config: SelectionConfig) -> None:
    """Record that waiting messages are given up."""
    with faults(), services.clickhouse("engineer") as client:
        result = replaying.discard(client, config.selection(services.settings.topic), config.dry_run)
        _report(context, result, config.dry_run)


@dg.op(retry_policy=RETRIES)
def settle_claimed(context: dg.OpExecutionContext, services: Services, config: SettleConfig) -> None:
    """Find in Kafka the messages that a dead replay has sent, and release the others."""
    settings = services.settings
    with faults(), services.clickhouse("engineer") as client:
        settled = settle(
            client,
            settings.kafka_bootstrap,
            settings.topic,
            older_than=config.older_than * 60,
            give_up=config.give_up,
            dry_run=config.dry_run,
        )
    counts: dict[str, Any] = {
        **{"dry_run": config.dry_run, "replayed": len(settled.replayed), "released": len(settled.released)},
        **{"unknown": len(settled.unknown), "recent": settled.recent, "read": settled.read},
    }
    context.log.info(", ".join(f"{name} {value}" for name, value in counts.items()))
    context.add_output_metadata(counts | {"why_unknown": dict(settled.why_unknown)})


def _replay(services: Services, request: ReplayRequest, dry_run: bool) -> ReplayResult:
    repairer = partial(services.clickhouse, "repair")
    with services.clickhouse("engineer") as client:
        return replaying.run(client, services.settings.kafka_bootstrap, request, dry_run, repairer)


def _report(context: dg.OpExecutionContext, result: ReplayResult, dry_run: bool) -> None:
    """Log the row counts and add them as metadata. Raises dg.Failure: the run stopped at an error."""
    counts: dict[str, Any] = {
        **{"dry_run": dry_run, "looked_at": result.looked_at, "passing": result.passing},
        **{"sent": result.done, "discarded": result.discarded, "skipped": result.skipped.total()},
    }
    summary = ", ".join(f"{name} {value}" for name, value in counts.items())
    context.log.info(f"{'试运行 dry run' if dry_run else '完成 done'}: {summary}")
    samples = [f"{sample.position} {sample.reason}\n" + "\n".join(sample.changes) for sample in result.samples]
    details = {"why_skipped": dict(result.skipped), "still_rejected": dict(result.still), "samples": samples}
    context.add_output_metadata(counts | details)
    if stopped := result.stopped:
        text = f"停于 stopped at {stopped.position}: {stopped.why} {stopped.detail}; 此前 before it: {summary}"
        raise dg.Failure(text, allow_retries=False)


@dg.job(description="重放隔离的消息（默认试运行）\n\nSend waiting messages again; a dry run by default.")
def replay_quarantine() -> None:
    replay_waiting()


@dg.job(
    description="修正并发送隔离的消息（默认试运行）\n\nRepair waiting messages and send them; a dry run by default."
)
def fix_quarantine() -> None:
    fix_waiting()


@dg.job(description="放弃隔离的消息（默认试运行）\n\nGive waiting messages up; a dry run by default.")
def discard_quarantine() -> None:
    discard_waiting()


@dg.job(
    description="查清重放未确认的消息（默认试运行）\n\nSettle the claims that a dead replay left; a dry run by default."
)
def settle_quarantine() -> None:
    settle_claimed()


QUARANTINE_JOBS = [fix_quarantine, replay_quarantine, discard_quarantine, settle_quarantine]
