"""`gridstream simulate`: a simulated city, as past days or as a live feed."""

import math
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path
from threading import Event
from types import FrameType
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.console import Group, RenderableType

from infra.cli.shared.output import AsJson, Column, emit, progress, seconds, table
from infra.cli.shared.wait import WaitSeconds, wait_until_loaded
from infra.settings import Settings, settings
from pipelines.errors import UserFault
from pipelines.services.publish import Publisher
from pipelines.sources.simulator.backfill import Backfill
from pipelines.sources.simulator.live import Live
from pipelines.sources.simulator.manifest import ManifestWriter, Sent
from pipelines.sources.simulator.model import CityModel, city_model
from pipelines.sources.simulator.plan import Disorder, midnight_ms, now_ms
from pipelines.sources.simulator.run import Tally, blocks, pretend, send

_MESSAGES_PER_REPORT = 3.9  # mean length of a course in profile.yaml, with resends and bad messages
_LONGEST = 3653  # days


@dataclass(frozen=True)
class _Feed:
    """The messages to send: description for the manifest, lists of messages, and their estimated number."""

    run: dict[str, Any]
    parts: Iterable[list[Sent]]
    total: int | None


def command(
    city: Annotated[str, typer.Option(help="城市代码 code of a registry city")] = "330200",
    days: Annotated[int | None, typer.Option(min=1, max=_LONGEST, help="最近几天 the last N days, up to now")] = None,
    first: Annotated[str | None, typer.Option("--from", help="起始日 first day, YYYY-MM-DD")] = None,
    last: Annotated[str | None, typer.Option("--to", help="结束日 last day, YYYY-MM-DD; default: today")] = None,
    messages: Annotated[int | None, typer.Option(min=1, help="至多 N 条消息 at most N messages")] = None,
    load: Annotated[float, typer.Option(min=0.001, max=1000, help="业务量倍数 times the usual load")] = 1.0,
    live: Annotated[bool, typer.Option("--live", help="实时，Ctrl-C 结束 events happening now, until Ctrl-C")] = False,
    rate: Annotated[float, typer.Option(min=0.1, max=100_000, help="实时速率 live: messages per second")] = 20.0,
    lasting: Annotated[float | None, typer.Option("--seconds", min=0.1, help="实时时长 live: for N seconds")] = None,
    seed: Annotated[int, typer.Option(min=0, help="随机种子 the same seed sends the same city")] = 1,
    bad_share: Annotated[float, typer.Option(min=0, max=1, help="坏消息占比 share of bad messages")] = 0.005,
    duplicate_share: Annotated[float, typer.Option(min=0, max=1, help="重发占比 share of exact resends")] = 0.02,
    late_share: Annotated[float, typer.Option(min=0, max=1, help="迟到占比 share of late messages")] = 0.015,
    odd_share: Annotated[float, typer.Option(min=0, max=1, help="可疑消息占比 share accepted with a warning")] = 0.0,
    manifest: Annotated[Path | None, typer.Option(help="清单文件 manifest; default: one under home/manifests")] = None,
    no_manifest: Annotated[bool, typer.Option("--no-manifest", help="不写清单 write none")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="只生成，不发送 generate, send nothing")] = False,
    wait: WaitSeconds = None,
    as_json: AsJson = False,
) -> None:
    """模拟一座城市：过去若干天（默认一天，尽快发送），或 --live 实时发送；清单记下每一条消息的真相。

    Simulates a city: past days as fast as possible (by default one), or a live feed with --live. The manifest
    contains the truth about every message that was sent, for comparison with the figures.
    """
    model, disorder, stop = city_model(city, seed), Disorder(duplicate_share, late_share, bad_share, odd_share), Event()
    if live and (days or first or last or dry_run):
        raise UserFault("--live 只用于现在 is about now: drop --days, --from, --to and --dry-run")
    if days and first:
        raise UserFault("--from 与 --days 只能选一个 give either --from or --days")
    if live:
        feed = _live(model, disorder, rate, lasting, messages, stop)
    else:
        usual = model.profile.per_grid_and_day * load * len(model.grids)
        span = _span(model, days or (messages and math.ceil(messages / usual / 2)) or 1, first, last)
        feed = _past(Backfill(model, *span, disorder, load), messages, stop)
    config = settings()
    path = None if no_manifest or dry_run else manifest or _manifest_path(config, feed.run["mode"])
    started = time.monotonic()
    tally = _deliver(feed, config, path, stop, dry_run, as_json)
    took = time.monotonic() - started
    loaded = wait_until_loaded(config, wait) if wait is not None and not dry_run else None
    document = {
        **feed.run,
        **_figures(tally, took),
        "manifest": path,
        "dry_run": dry_run,
        "loaded_after_seconds": loaded,
    }
    emit(document, as_json, lambda: _render(document, tally))


def _span(model: CityModel, days: int, first: str | None, last: str | None) -> tuple[date, date, int]:
    """First day, last day, and the time (ms since the epoch) up to which messages have been sent."""
    today = datetime.now(ZoneInfo(model.timezone)).date()
    end = _day("--to", last) if last else today
    start = _day("--from", first) if first else end - timedelta(days=days - 1)
    if start > end or end > today or (end - start).days >= _LONGEST:
        raise UserFault(f"日期范围不对 wrong range of days: {start} .. {end}; 今天 today is {today}")
    return start, end, min(midnight_ms(end + timedelta(1), model.timezone), now_ms() // 1000 * 1000)


def _day(option: str, written: str) -> date:
    try:
        return date.fromisoformat(written)
    except ValueError as error:
        raise UserFault(f"{option} 不是日期 is not a day like 2026-11-01: {written!r}") from error


def _past(past: Backfill, messages: int | None, stop: Event) -> _Feed:
    model, span = past.model, (past.last - past.first).days + 1
    about = int(span * len(model.grids) * model.profile.per_grid_and_day * past.load * _MESSAGES_PER_REPORT)
    run = _described(model, "backfill", past.disorder) | {
        "from": past.first,
        "to": past.last,
        "until": datetime.fromtimestamp(past.until_ms / 1000, UTC),
        "load": past.load,
        "surges": [
            {"area": surge.area, "type": int(model.codes[surge.kind]), "from": surge.first, "counts": surge.counts}
            for surge in past.surges
        ],
    }
    return _Feed(run, _until(stop, blocks(islice(past.messages(), messages))), min(about, messages or about))


def _live(
    model: CityModel, disorder: Disorder, rate: float, lasting: float | None, messages: int | None, stop: Event
) -> _Feed:
    run = _described(model, "live", disorder) | {"rate": rate, "seconds": lasting}
    total = messages or (int(rate * lasting) if lasting else None)
    return _Feed(run, _at_most(messages, Live(model, rate, lasting, stop, disorder).ticks()), total)


def _described(model: CityModel, mode: str, disorder: Disorder) -> dict[str, Any]:
    return {"mode": mode, "city": model.code, "seed": model.seed, **asdict(disorder), "started_at": datetime.now(UTC)}


def _until(stop: Event, parts: Iterable[list[Sent]]) -> Iterator[list[Sent]]:
    for part in parts:
        yield part
        if stop.is_set():
            return


def _at_most(limit: int | None, parts: Iterable[list[Sent]]) -> Iterator[list[Sent]]:
    left = limit
    for part in parts:
        yield part if left is None else part[:left]
        left = None if left is None else left - len(part)
        if left is not None and left <= 0:
            return


def _manifest_path(config: Settings, mode: str) -> Path:
    return config.home / "manifests" / f"{mode}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.jsonl"


def _deliver(feed: _Feed, config: Settings, path: Path | None, stop: Event, dry_run: bool, quiet: bool) -> Tally:
    label = "模拟 simulate"
    if dry_run:
        with _stopping(stop), progress(label, feed.total, quiet) as advance:
            return pretend(feed.parts, advance)
    with Publisher(config.kafka_bootstrap, config.topic) as publisher:
        manifest = ManifestWriter(path, feed.run) if path else None
        with (
            closing(manifest) if manifest else nullcontext(),
            _stopping(stop),
            progress(label, feed.total, quiet) as advance,
        ):
            return send(feed.parts, publisher, manifest, advance)


@contextmanager
def _stopping(stop: Event) -> Iterator[None]:
    """Ctrl-C and SIGTERM end the run after the current block; again more than a second later, at once."""
    first_signal = math.inf

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal first_signal
        if time.monotonic() - first_signal > 1:
            raise KeyboardInterrupt
        first_signal = min(first_signal, time.monotonic())
        stop.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _figures(tally: Tally, took: float) -> dict[str, Any]:
    return {
        "messages": tally.messages,
        "kinds": dict(sorted(tally.kinds.items())),
        "partitions": {str(partition): count for partition, count in sorted(tally.partitions.items())},
        "took_seconds": round(took, 3),
        "messages_per_second": round(tally.messages / took) if took else 0,
    }


def _render(document: dict[str, Any], tally: Tally) -> RenderableType:
    bad = sum(count for kind, count in tally.kinds.items() if kind.startswith("bad:"))
    names = {"good": "正常 good", "duplicate": "重发 resends", "late": "迟到 late", "correction": "更正 corrections"}
    rows: list[tuple[str, Any]] = [("消息总数 messages", tally.messages)]
    rows += [(label, tally.kinds[kind]) for kind, label in names.items()] + [("坏消息 bad", bad)]
    rows += [(f"分区 partition {partition}", count) for partition, count in sorted(tally.partitions.items())]
    rows += [("用时 took", seconds(document["took_seconds"])), ("每秒 per second", document["messages_per_second"])]
    if document["loaded_after_seconds"] is not None:
        rows.append(("入库等待 loaded after", seconds(document["loaded_after_seconds"])))
    title = f"模拟 Simulated {document['city']}" + ("（未发送 nothing sent）" if document["dry_run"] else "")
    parts: list[RenderableType] = [table(title, [Column("项目", "item"), Column("数值", "value", True)], rows)]
    if document["manifest"]:
        parts.append(f"清单 manifest: {document['manifest']}")
    return Group(*parts)


def register(app: typer.Typer) -> None:
    app.command("simulate")(command)
