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

_WEATHER = (
    _PREPARED
    + """
import sys, tempfile
import clickhouse_connect
from schemas.contract import VERSIONS
from schemas.contract.publish import broken, publications
from schemas.migrations import migrations, statements

with tempfile.TemporaryDirectory() as path:
    clickhouse_connect.get_client(interface="chdb", path=path).command("CREATE DATABASE copy")
    client = clickhouse_connect.get_client(interface="chdb", path=path, database="copy")
    for migration in migrations():
        for statement in statements(migration.sql):
            client.command(statement)
    rows = events(
        load_model(None),
        message(event_id="0f0e0d0c-0b0a-4908-8706-050403020101", weather="雨，13812345678"),
        message(),
    )
    client.insert_arrow("events", rows)
    print(client.query("SELECT weather, extra FROM events ORDER BY weather").result_rows)
    client.close()
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
