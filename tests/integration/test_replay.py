"""Rejected messages sent again once their cause is gone: each moves once, and the proof still holds."""

import json
import subprocess
import sys
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

from kafka import KafkaConsumer

from infra.local.simulator import gridstream
from pipelines.sources.publish import Publisher
from pipelines.verify import verify
from tests.integration.conftest import Stack

Streaming = Callable[[], AbstractContextManager["subprocess.Popen[bytes]"]]

UNKNOWN, KNOWN = "330203001999", "330203001001"
_NEW_GRID = """
INSERT INTO grids (grid_code, town_code, county_code, city_code, zh, en, valid_from)
SELECT {new:String}, town_code, county_code, city_code, zh, en, valid_from FROM grids FINAL
WHERE grid_code = {old:String}"""


def command(stack: Stack, *words: str) -> Any:
    """Run `gridstream quarantine ... --json`; its document."""
    call = [sys.executable, gridstream(), "quarantine", *words, "--json"]
    answer = subprocess.run(call, env=stack.environment(), capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)


def send(stack: Stack) -> None:
    at = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    with Publisher(stack.bootstrap, stack.topic) as publisher:
        for i in range(20):
            message = {
                **{"schema_version": 1, "event_id": str(uuid.uuid4()), "report_id": f"R{i}", "status": "reported"},
                **{"reported_at": at, "updated_at": at, "grid_code": UNKNOWN, "source": "hotline", "severity": 2},
                "text": "楼道堆放杂物，联系人张三，电话13812345678",
            }
            publisher.send(json.dumps(message).encode(), UNKNOWN.encode())
        publisher.send(b'{"text": "13812345678", broken', b"k")
    stack.wait_until_loaded()


def headers(stack: Stack) -> list[dict[str, bytes]]:
    reader = KafkaConsumer(
        stack.topic, bootstrap_servers=stack.bootstrap, auto_offset_reset="earliest", consumer_timeout_ms=5000
    )
    try:
        return [dict(record.headers) for record in reader if record.headers]
    finally:
        reader.close()


def test_replayed_once(stack: Stack, streaming: Streaming) -> None:
    with streaming():
        send(stack)
        assert command(stack, "stats")["total"] == 21
        first = command(stack, "replay")  # too early: they come back
        assert first["done"] == 20
        assert [one["why"] for one in first["skipped"]] == ["not_json"]
        stack.wait_until_loaded()
        assert stack.scalar("SELECT count() FROM quarantine FINAL") == 41

        stack.loader.command(_NEW_GRID, {"new": UNKNOWN, "old": KNOWN})
        assert command(stack, "replay", "--dry-run")["done"] == 20
        assert command(stack, "replay", "--limit", "5")["done"] == 5
        assert command(stack, "replay")["done"] == 15
        stack.wait_until_loaded()
        again = command(stack, "replay")
        stack.wait_until_loaded()
        assert again["done"] == 0
        assert command(stack, "discard")["done"] == 1
        assert command(stack, "discard")["done"] == 0
    assert stack.scalar("SELECT count() FROM events") == 20
    assert stack.scalar("SELECT count() FROM quarantine FINAL") == 41
    assert stack.scalar("SELECT countIf(text LIKE '%张三%' OR text LIKE '%1381234%') FROM events") == 0
    sums = [sum(group[state] for group in command(stack, "stats")["groups"]) for state in ("waiting", "replayed")]
    assert sums == [0, 40]
    sent = headers(stack)
    assert sorted(one["gridstream-attempt"] for one in sent) == [b"1"] * 20 + [b"2"] * 20
    assert all(one["gridstream-topic"].decode() == stack.topic for one in sent)
    report = verify(stack.bootstrap, stack.topic, stack.settings.clickhouse("engineer"))
    assert report.holds, json.dumps(report, default=str, ensure_ascii=False, indent=1)
