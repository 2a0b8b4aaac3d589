"""Rejected messages worked on from Dagster: as `gridstream quarantine fix`, `replay`, `discard` and `settle`.

All four begin as a dry run. What is done twice is done once: a message with a recorded action is not taken again.
"""

from datetime import datetime
from enum import Enum
from typing import Any

import dagster as dg
from pydantic import Field

from dagster_project.faults import RETRIES, faults
from dagster_project.resources import Services
from pipelines.errors import UserFault
from pipelines.privacy.mask import masker, read_patterns
from pipelines.quarantine import replay as sending
from pipelines.quarantine.repair import Assignments, Patch, Repair
from pipelines.quarantine.replay import Policy, ReplayRequest, ReplayResult
from pipelines.quarantine.selection import Selection
from pipelines.quarantine.settle import SAFE_AGE, settle

_SAMPLES = 5


class OnError(Enum):
    """What becomes of a message that cannot be sent or would be rejected again; see `quarantine.replay.Policy`."""

    skip = "skip"
    stop_on_error = "stop-on-error"
    reinsert = "reinsert"
    drop = "drop"


class Chosen(dg.Config):
    """Which waiting messages, and whether in earnest."""

    reason: str = Field("", description="只此原因 only this reason (id of schemas/reasons.yaml); empty: all")
    source: str = Field("", description="只此来源 only this source; empty: all")
    rule: str = Field("", description="只此规则 only this rule, such as bad_value:severity; empty: all")
    since: str = Field("", description="此时起到达 arrived at or after, such as 2026-11-01T08:00 (Asia/Shanghai)")
    until: str = Field("", description="此时前到达 arrived before")
    limit: int = Field(100_000, ge=1, le=1_000_000, description="最多条数，先旧后新 most messages, oldest first")
    dry_run: bool = Field(True, description="只看会做什么 only say what would be done")

    def selection(self, topic: str) -> Selection:
        """Raises UserFault: an unknown reason, a malformed time."""
        since, until = (_moment(text) if text else None for text in (self.since, self.until))
        return Selection.of(topic, self.reason, self.source, self.rule, since, until, self.limit)


class Replaying(Chosen):
    """How they are sent again."""

    policy: OnError = Field(
        OnError.skip, description="不能发送或仍会被拒者 what cannot be sent or would be rejected again"
    )


class Fixing(Replaying):
    """How they are repaired: one of the two."""

    patch: str = Field("", description="JSON 补丁 a JSON patch (RFC 6902)")
    assign: list[str] = Field([], description="字段=ClickHouse 表达式 FIELD=SQL, such as severity=2")

    def repair(self) -> Repair:
        """Raises UserFault: none or both of them, or malformed."""
        if bool(self.patch) == bool(self.assign):
            raise UserFault('give either patch or assign, such as assign: ["severity=2"]')
        return Patch.read(self.patch) if self.patch else Assignments.read(self.assign)


class Settling(dg.Config):
    """Which claims are looked at, and whether in earnest."""

    older_than: int = Field(
        SAFE_AGE // 60, ge=SAFE_AGE // 60, description="只看多少分钟前取走的 only those claimed so many minutes ago"
    )
    give_up: bool = Field(False, description="无从得知者记为放弃 discard what cannot be known")
    dry_run: bool = Field(True, description="只看会做什么 only say what would be done")


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise UserFault(f"{text!r} is no time; write it like 2026-11-01T08:00") from None


@dg.op(retry_policy=RETRIES)
def replay_waiting(context: dg.OpExecutionContext, services: Services, config: Replaying) -> None:
    """Send them again, judged by the present rules first."""
    with faults():
        chosen = config.selection(services.settings.topic)
        _told(
            context, _sent(services, ReplayRequest(chosen, Policy(config.policy.value)), config.dry_run), config.dry_run
        )


@dg.op(retry_policy=RETRIES)
def fix_waiting(context: dg.OpExecutionContext, services: Services, config: Fixing) -> None:
    """Repair them, judge them by the present rules, send them."""
    with faults():
        chosen, repair = config.selection(services.settings.topic), config.repair()
        masks = masker(read_patterns(services.settings.mask_patterns))
        order = ReplayRequest(chosen, Policy(config.policy.value), repair, _SAMPLES, masks)
        _told(context, _sent(services, order, config.dry_run), config.dry_run)


@dg.op(retry_policy=RETRIES)
def discard_waiting(context: dg.OpExecutionContext, services: Services, config: Chosen) -> None:
    """Record that they are given up."""
    with faults(), services.clickhouse("engineer") as client:
        outcome = sending.discard(client, config.selection(services.settings.topic), config.dry_run)
        _told(context, outcome, config.dry_run)


@dg.op(retry_policy=RETRIES)
def settle_claimed(context: dg.OpExecutionContext, services: Services, config: Settling) -> None:
    """Find in Kafka what a replay that died has sent, and release the rest."""
    now, older_than = services.settings, config.older_than * 60
    with faults(), services.clickhouse("engineer") as client:
        found = settle(
            client,
            now.kafka_bootstrap,
            now.topic,
            older_than=older_than,
            give_up=config.give_up,
            dry_run=config.dry_run,
        )
    counts: dict[str, Any] = {
        **{"dry_run": config.dry_run, "replayed": len(found.replayed), "released": len(found.released)},
        **{"unknown": len(found.unknown), "recent": found.recent, "read": found.read},
    }
    context.log.info(", ".join(f"{name} {value}" for name, value in counts.items()))
    context.add_output_metadata(counts | {"why_unknown": dict(found.why_unknown)})


def _sent(services: Services, order: ReplayRequest, dry_run: bool) -> ReplayResult:
    with services.clickhouse("engineer") as client:
        return sending.run(client, services.settings.kafka_bootstrap, order, dry_run)


def _told(context: dg.OpExecutionContext, outcome: ReplayResult, dry_run: bool) -> None:
    """Row counts, as the run's success message and as metadata. Raises dg.Failure: it stopped at an error."""
    counts: dict[str, Any] = {
        **{"dry_run": dry_run, "looked_at": outcome.looked_at, "passing": outcome.passing},
        **{"sent": outcome.done, "discarded": outcome.discarded, "skipped": outcome.skipped.total()},
    }
    said = ", ".join(f"{name} {value}" for name, value in counts.items())
    context.log.info(f"{'试运行 dry run' if dry_run else '完成 done'}: {said}")
    samples = [f"{one.position} {one.reason}\n" + "\n".join(one.changes) for one in outcome.samples]
    details = {"why_skipped": dict(outcome.skipped), "still_rejected": dict(outcome.still), "samples": samples}
    context.add_output_metadata(counts | details)
    if outcome.stopped:
        at = outcome.stopped
        raise dg.Failure(f"stopped at {at.position}: {at.why} {at.detail}; before it: {said}", allow_retries=False)


@dg.job(description="重放隔离的消息（默认试运行）\n\nSend waiting messages again; a dry run unless told otherwise.")
def replay_quarantine() -> None:
    replay_waiting()


@dg.job(
    description="修正并发送隔离的消息（默认试运行）\n\nRepair waiting messages and send them; a dry run by default."
)
def fix_quarantine() -> None:
    fix_waiting()


@dg.job(description="放弃隔离的消息（默认试运行）\n\nGive waiting messages up; a dry run unless told otherwise.")
def discard_quarantine() -> None:
    discard_waiting()


@dg.job(
    description="查清重放未确认的消息（默认试运行）\n\n"
    "Settle what a replay that died left unsettled; a dry run unless told otherwise."
)
def settle_quarantine() -> None:
    settle_claimed()


QUARANTINE_JOBS = [fix_quarantine, replay_quarantine, discard_quarantine, settle_quarantine]
