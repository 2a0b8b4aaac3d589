"""What the demo shows when it is ready: ranking, rising types, quality, proof, addresses."""

from contextlib import closing
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from infra.cli.data.verify import conclusion
from infra.cli.figures.marts import ranked, trending
from infra.cli.shared.output import Column, percent, table
from infra.cli.stack.stack import addresses
from infra.settings import Settings
from pipelines.marts.catalog import PeriodKind
from pipelines.marts.read import RankedArea, Reader, RisingType
from pipelines.quality.summary import summary
from pipelines.quarantine import read as rejected
from pipelines.services import kafka
from pipelines.services.clickhouse import connect
from pipelines.verify import VerifyReport
from pipelines.watch.lag import LedgerFigures, ledger_figures
from schemas.reasons import reasons


@dataclass(frozen=True)
class Findings:
    """One city's figures at one moment. `period`: of the ranking. Shares of 0..1."""

    period: PeriodKind
    ranking: list[RankedArea]
    rising: list[RisingType]
    quality: dict[str, int]
    ledger: LedgerFigures | None
    refused: list[rejected.RejectCount]
    proof: VerifyReport

    def document(self) -> dict[str, Any]:
        return {
            "ranking": self.ranking,
            "rising": self.rising,
            "quality": self.quality,
            "ledger": self.ledger,
            "verify": self.proof.document(),
        }


def find(now: Settings, city: str, proof: VerifyReport) -> Findings:
    """Read the marts as an analyst would, and the quality figures as an engineer."""
    with closing(connect(now.clickhouse("analyst"))) as client:
        reader = Reader(client, published=True)
        month, week = (reader.ranking(city, "county", period) for period in ("month", "week"))
        rising = reader.rising(city, "", limit=5)
    # The fuller of the two: a month that has just begun says less than the week.
    period: PeriodKind = "month" if _reports(month) >= _reports(week) else "week"
    with closing(connect(now.clickhouse("engineer"))) as client:
        return Findings(
            period=period,
            ranking=month if period == "month" else week,
            rising=rising,
            quality=summary(client, city),
            ledger=ledger_figures(client, kafka.topic_id(now.kafka_bootstrap, now.topic)),
            refused=rejected.stats(client, now.topic),
            proof=proof,
        )


def _reports(areas: list[RankedArea]) -> int:
    return sum(area.reported or 0 for area in areas)


def shown(now: Settings, found: Findings, headline: str) -> RenderableType:
    """All of it for people."""
    return Group(
        ranked(found.ranking, "county", found.period, "analyst") if found.ranking else Text("尚无排名 no ranking yet"),
        trending(found.rising) if found.rising else Text("尚无趋势 no trends yet"),
        _quality(found),
        conclusion(found.proof),
        Text(headline, "bold"),
        _where(now),
    )


def _quality(found: Findings) -> RenderableType:
    counts, all_reports = found.quality, max(found.quality["reports"], 1)
    rows: list[tuple[str, Any, str]] = [("上报 reports", counts["reports"], "")]
    names = {
        "by_crosswalk": "类型来自来源代码 type by the source's code",
        "by_model": "类型由模型判定 type by the text model",
        "by_person": "类型由人指定 type by a person",
        "undecided": "模型没有把握 model not sure (999)",
        "suspected": "疑似敷衍或不实 perhaps perfunctory or false",
    }
    rows += [(label, counts[name], percent(counts[name] / all_reports)) for name, label in names.items()]
    if found.ledger:
        total = found.ledger.good + found.ledger.quarantined + found.ledger.duplicates
        rows.append(("消息 messages", total, ""))
        rows.append(
            ("同段重发已剔除 resends dropped", found.ledger.duplicates, percent(found.ledger.duplicates / total))
        )
        rows.append(("隔离 quarantined", found.ledger.quarantined, percent(found.ledger.quarantined / total)))
    by_reason: dict[str, int] = {}
    for group in found.refused:
        by_reason[group.reason] = by_reason.get(group.reason, 0) + group.rows
    top = sorted(by_reason.items(), key=lambda item: -item[1])[:3]
    rows += [(f"  {reasons()[name].zh} {reasons()[name].en}", count, "") for name, count in top if name in reasons()]
    return table(
        "质量 Quality", (Column("项目", "item"), Column("数量", "count", True), Column("占比", "share", True)), rows
    )


def _where(now: Settings) -> RenderableType:
    at = addresses(now)
    secrets = now.home / "secrets.json"
    rows = [
        ("Dagster", at["dagster"], ""),
        ("ClickHouse", f"{at['clickhouse']}/play", f"用户 user analyst, 密码在 password in {secrets}"),
        ("Kafka", at["kafka"], f"主题 topic {now.topic}"),
        ("SQL", 'gridstream sql "SELECT * FROM published_area_ranking LIMIT 5"', ""),
    ]
    return table(
        "入口 Where to look", (Column("什么", "what"), Column("地址", "address"), Column("说明", "note")), rows
    )
