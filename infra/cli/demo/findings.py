"""What the demo shows when it is ready: ranking, rising types, quality, proof, addresses."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from infra.cli.data.verify import conclusion
from infra.cli.figures.marts import render_ranking, render_rising
from infra.cli.shared.output import Column, percent, table
from infra.cli.stack.stack import addresses
from infra.settings import Settings
from pipelines.marts.catalog import PeriodKind
from pipelines.marts.read import RankedArea, Reader, RisingType
from pipelines.quality.summary import summary
from pipelines.quarantine import read as rejected
from pipelines.services import kafka
from pipelines.verify import VerifyReport
from pipelines.watch.figures import LedgerFigures
from pipelines.watch.lag import ledger_figures
from schemas.reasons import reasons

_REASONS = 3  # reasons of rejection listed


@dataclass(frozen=True)
class Findings:
    """One city's figures at one moment. `period`: of the ranking. Shares of 0..1."""

    period: PeriodKind
    ranking: list[RankedArea]
    rising: list[RisingType]
    quality: dict[str, int]
    ledger: LedgerFigures | None
    rejects: list[rejected.RejectCount]
    proof: VerifyReport

    def document(self) -> dict[str, Any]:
        return {
            "ranking": self.ranking,
            "rising": self.rising,
            "quality": self.quality,
            "ledger": self.ledger,
            "verify": self.proof.document(),
        }


def find(config: Settings, city: str, proof: VerifyReport) -> Findings:
    """Read the marts as an analyst would, and the quality figures as an engineer."""
    with config.client("analyst") as client:
        reader = Reader(client, published=True)
        month, week = (reader.ranking(city, "county", period) for period in ("month", "week"))
        rising = reader.rising(city, "", limit=5)
    # The fuller of the two: a month that has just begun says less than the week.
    period: PeriodKind = "month" if _reports(month) >= _reports(week) else "week"
    with config.client("engineer") as client:
        return Findings(
            period=period,
            ranking=month if period == "month" else week,
            rising=rising,
            quality=summary(client, city),
            ledger=ledger_figures(client, kafka.topic_id(config.kafka_bootstrap, config.topic)),
            rejects=rejected.stats(client, config.topic),
            proof=proof,
        )


def _reports(areas: list[RankedArea]) -> int:
    return sum(area.reported or 0 for area in areas)


def render_findings(config: Settings, findings: Findings, headline: str) -> RenderableType:
    """Ranking, trends, quality, the proof's verdict, `headline`, and the addresses."""
    ranking, rising = findings.ranking, findings.rising
    return Group(
        render_ranking(ranking, "county", findings.period, "analyst") if ranking else Text("尚无排名 no ranking yet"),
        render_rising(rising) if rising else Text("尚无趋势 no trends yet"),
        _render_quality(findings),
        conclusion(findings.proof),
        Text(headline, "bold"),
        _render_addresses(config),
    )


def _render_quality(findings: Findings) -> RenderableType:
    counts, all_reports = findings.quality, max(findings.quality["reports"], 1)
    rows: list[tuple[str, Any, str]] = [("上报 reports", counts["reports"], "")]
    names = {
        "by_crosswalk": "类型来自来源代码 type by the source's code",
        "by_model": "类型由模型判定 type by the text model",
        "by_person": "类型由人指定 type by a person",
        "undecided": "模型没有把握 model not sure (999)",
        "suspected": "疑似敷衍或不实 perhaps perfunctory or false",
    }
    rows += [(label, counts[name], percent(counts[name] / all_reports)) for name, label in names.items()]
    if ledger := findings.ledger:
        shares = {"同段重发已剔除 resends dropped": ledger.duplicates, "隔离 quarantined": ledger.quarantined}
        rows.append(("消息 messages", ledger.total, ""))
        rows += [(label, count, percent(count / ledger.total)) for label, count in shares.items()]
    by_reason = Counter[str]()
    for group in findings.rejects:
        by_reason[group.reason] += group.rows
    top = by_reason.most_common(_REASONS)
    rows += [(f"  {reasons()[name].zh} {reasons()[name].en}", count, "") for name, count in top if name in reasons()]
    return table(
        "质量 Quality", (Column("项目", "item"), Column("数量", "count", True), Column("占比", "share", True)), rows
    )


def _render_addresses(config: Settings) -> RenderableType:
    at = addresses(config)
    secrets = config.home / "secrets.json"
    rows = [
        ("Dagster", at["dagster"], ""),
        ("ClickHouse", f"{at['clickhouse']}/play", f"用户 user analyst, 密码在 password in {secrets}"),
        ("Kafka", at["kafka"], f"主题 topic {config.topic}"),
        ("SQL", 'gridstream sql "SELECT * FROM published_area_ranking LIMIT 5"', ""),
    ]
    return table(
        "入口 Where to look", (Column("什么", "what"), Column("地址", "address"), Column("说明", "note")), rows
    )
