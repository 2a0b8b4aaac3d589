"""docs/evolution.md works: each walk-through is done to a copy of the project, and what it promises is seen there."""

import json
from pathlib import Path

from tests.support.walkthrough import copy, run

_PREPARED = """
from datetime import UTC, date, datetime
from pipelines.classify import load_model
from pipelines.intake.decode import Limits
from pipelines.intake.rules.columns import Context
from pipelines.places.grids import GridIndex, GridRow
from pipelines.load.ranges import Stream
from pipelines.stream.chunks import offsets_of
from pipelines.stream.prepare import Preparation, prepare
from schemas.event_types import event_types
from tests.support.messages import message, records

GRID = GridRow("330203001001", "330203001", "330203", "330200", "Asia/Shanghai", date(2018, 1, 1), None)
CONTEXT = Context(GridIndex.of([GRID]), frozenset(t.code for t in event_types()), datetime(2026, 3, 2, tzinfo=UTC))

def events(model, *values):
    chunk = records(*values)
    rows = prepare(chunk, offsets_of(chunk), Preparation(Stream("t", "id", 1, 1), Limits(), CONTEXT, model, b"k" * 16))
    assert rows.quarantine.num_rows == 0, rows.quarantine.to_pylist()
    return rows.events
"""

_DATABASE = """
import tempfile
from contextlib import contextmanager
import clickhouse_connect
from pipelines.database.dimensions import load_registry
from pipelines.database.migrate import migrate

@contextmanager
def database():
    with tempfile.TemporaryDirectory() as path:
        clickhouse_connect.get_client(interface="chdb", path=path).command("CREATE DATABASE copy")
        client = clickhouse_connect.get_client(interface="chdb", path=path, database="copy")
        migrate(client)
        load_registry(client)
        yield client
        client.close()
"""

_WEATHER = (
    _PREPARED
    + _DATABASE
    + """
from schemas.contract import VERSIONS
from schemas.contract.publish import broken, publications

with database() as client:
    rows = events(
        load_model(None),
        message(event_id="0f0e0d0c-0b0a-4908-8706-050403020101", weather="雨，13812345678"),
        message(),
    )
    client.insert_arrow("events", rows)
    print(client.query("SELECT weather, extra FROM events ORDER BY weather").result_rows)
print(broken(VERSIONS[1]), len(publications(1)))
"""
)

_DRONES = (
    _PREPARED
    + """
from pipelines.classify.training.corpus import FOLDER, corpus, descriptions
from pipelines.classify.features import Ngrams
from pipelines.classify.training.linear import Settings
from pipelines.classify.training.train import train
from pipelines.errors import UserFault
from pipelines.sources.simulator.texts import texts

try:
    load_model(None)
except (UserFault, ValueError) as error:
    print("refused", error)
model = train(descriptions(), Settings(Ngrams(1, 2), folds=2)).model
report = message(event_id="0f0e0d0c-0b0a-4908-8706-050403020101", event_type=409)
rows = events(model, message(text="无人机扰民"), report)
assert len(texts(1).bodies) == 34
print(rows["event_type"].to_pylist(), rows["due_at"][1].as_py() - rows["reported_at"][1].as_py())
print(len(event_types()), (corpus().labels == 409).sum())
"""
)

_SECOND = (
    _PREPARED
    + """
import json
late = message(schema_version=2, severity=9, event_id="0f0e0d0c-0b0a-4908-8706-050403020101", weather="雨")
rows = events(load_model(None), message(), late)
print(json.dumps([rows[name].to_pylist() for name in ("schema_version", "severity", "extra")]))
"""
)

_LONG = (
    _PREPARED
    + """
rows = events(load_model(None), message(text="楼道堆放杂物，" * 285 + "请尽快处理。"), message(text="楼道堆放杂物"))
print([list(warnings) for warnings in rows["warnings"].to_pylist()])
"""
)

_PATROL = (
    _PREPARED
    + _DATABASE
    + """
from pathlib import Path
import sys
from pipelines.sources.catalogue import open_source
from schemas.crosswalks import crosswalks
from schemas.registry import grids

rows = events(load_model(None), message(source="drone_patrol"))
print(rows["source"].to_pylist())
grid = grids("440310")[0]
file = Path(sys.argv[1])
lines = [
    "number,found_at,grid,kind,text",
    f"1,2026-11-20T08:00:00+08:00,{grid.source_id},lamp,路灯不亮",
    "2,2026-11-20T09:00:00+08:00,nowhere,tree,树枝折断",
]
file.write_text("\\n".join([*lines, ""]), "utf-8")
source = open_source("sanitation", file)
sent = [mapped.message for mapped in source.messages()]
print([(item["report_id"], item["grid_code"] == grid.grid_code) for item in sent], len(source.findings()))
print([crosswalks()["sanitation"].map(item["source_type"]) for item in sent])
with database() as client:
    print(client.query("SELECT source_zh FROM sources FINAL WHERE source = 'drone_patrol'").result_rows)
"""
)

_HOURS = (
    _DATABASE
    + """
from datetime import date
import dagster as dg
from dagster_project.definitions import defs
from pipelines.marts.catalog import MARTS
from pipelines.marts.runner import execute, plan_days
from pipelines.verify.marts import check_marts
from tests.support.mart_facts import at, insert, message

DAY = date(2026, 3, 4)
with database() as client:
    late = message("c", DAY, reported_at=at(DAY, 17), due_at=at(DAY, 20))
    insert(client, [message("a", DAY), message("b", DAY), late])
    execute(client, plan_days([DAY], at(DAY, 20)), as_of=at(DAY, 20))
    print(client.query("SELECT local_hour, reported FROM county_hours ORDER BY local_hour").result_rows)
    (mart,) = (mart for mart in MARTS if mart.name == "county_hours")
    scope = {"day": DAY, "area": "990001", "hour": 8}
    print([row[0] for row in client.query(mart.drill_sql, scope).result_rows])
    print(check_marts(client).findings)
    client.command("ALTER TABLE mart_county_hours UPDATE reported = 9 WHERE local_hour = 8 SETTINGS mutations_sync = 1")
    print([finding.count for finding in check_marts(client).findings])
print(dg.AssetKey("mart_county_hours") in defs.resolve_asset_graph().get_all_asset_keys())
"""
)


def test_an_optional_field(tmp_path: Path) -> None:
    folder = copy(tmp_path, "An optional field")
    assert "report.v1.1.schema.json" in run(folder, "-m", "schemas.contract.publish")
    stored, contract = run(folder, "-c", _WEATHER).splitlines()
    assert stored == "[('', ''), ('雨，[手机号]', '')]"
    assert contract == "[] 2"


def test_a_34th_type(tmp_path: Path) -> None:
    """Trained on the taxonomy's phrases alone, which is quick; the corpus is only read."""
    folder = copy(tmp_path, "A 34th event type")
    refused, decided, counted = run(folder, "-c", _DRONES).splitlines()
    assert refused.startswith("refused")
    assert decided == "[409, 409] 2 days, 0:00:00"
    assert counted == "34 7"


def test_a_second_version(tmp_path: Path) -> None:
    folder = copy(tmp_path, "A second version")
    assert "report.v2.0.schema.json" in run(folder, "-m", "schemas.contract.publish")
    versions, severity, extra = json.loads(run(folder, "-c", _SECOND))
    assert (versions, severity) == ([1, 2], [2, 3])
    assert [json.loads(text or "{}") for text in extra] == [{}, {"severity_of_10": 9, "weather": "雨"}]


def test_a_rule(tmp_path: Path) -> None:
    folder = copy(tmp_path, "A rule")
    assert run(folder, "-c", _LONG) == "[['text_too_long'], []]\n"


def test_a_source(tmp_path: Path) -> None:
    folder = copy(tmp_path / "copy", "A source")
    assert "report.v1.1.schema.json" in run(folder, "-m", "schemas.contract.publish")
    stored, sent, types, named = run(folder, "-c", _PATROL, str(tmp_path / "list.csv")).splitlines()
    assert stored == "['drone_patrol']"
    assert sent == "[('sanitation-1', True), ('sanitation-2', False)] 1"
    assert types == "[405, 406]"
    assert named == "[('无人机巡查',)]"


def test_a_mart(tmp_path: Path) -> None:
    folder = copy(tmp_path, "A mart")
    built, behind, proof, changed, asset = run(folder, "-c", _HOURS).splitlines()
    assert built == "[(8, 2), (17, 1)]"
    assert behind == "['a', 'b']"
    assert (proof, changed) == ("()", "[1]")
    assert asset == "True"
