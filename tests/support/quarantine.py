"""Rejected messages: send them, run `gridstream quarantine` and Dagster's jobs on them, read their states."""

import json
import subprocess
import sys
import uuid
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from infra.local.services.simulator import gridstream
from pipelines.services.kafka import end_offsets
from pipelines.services.publish import Publisher
from tests.support.stack import Stack

UNKNOWN, KNOWN = "330203001999", "330203001001"
NEW_GRID = """
INSERT INTO grids (grid_code, town_code, county_code, city_code, zh, en, valid_from)
SELECT {new:String}, town_code, county_code, city_code, zh, en, valid_from FROM grids FINAL
WHERE grid_code = {old:String}"""
SECRET = "13812345678"


def run(stack: Stack, *words: str, **changes: str) -> "subprocess.CompletedProcess[str]":
    """Run `gridstream quarantine ...`."""
    call = [sys.executable, gridstream(), "quarantine", *words]
    return subprocess.run(call, env=stack.environment() | changes, capture_output=True, text=True, check=False)


def command(stack: Stack, *words: str, **changes: str) -> Any:
    """Run `gridstream quarantine ... --json`, which must succeed, and return its document."""
    answer = run(stack, *words, "--json", **changes)
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)


def report(number: int, **changes: Any) -> dict[str, Any]:
    """A message of report `R<number>` that is accepted, unless `changes` make it invalid."""
    at = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    return {
        **{"schema_version": 1, "event_id": str(uuid.uuid4()), "report_id": f"R{number}", "status": "reported"},
        **{"reported_at": at, "updated_at": at, "grid_code": KNOWN, "source": "hotline", "severity": 2},
        "text": f"楼道堆放杂物，联系人张三，电话{SECRET}",
        **changes,
    }


def send(stack: Stack, *messages: Any) -> None:
    """Send messages (bytes, or what becomes JSON) and wait until the stream has loaded them."""
    with Publisher(stack.bootstrap, stack.topic) as publisher:
        for message in messages:
            value = message if isinstance(message, bytes) else json.dumps(message).encode()
            publisher.send(value, b"k")
    stack.wait_until_loaded()


def headers(stack: Stack) -> list[dict[str, bytes]]:
    """The headers of all messages in the topic that have any. Messages with headers were sent by a replay."""
    ends = end_offsets(stack.bootstrap, stack.topic)
    with closing(KafkaConsumer(bootstrap_servers=stack.bootstrap, enable_auto_commit=False)) as consumer:
        partitions = [TopicPartition(stack.topic, number) for number in ends]
        consumer.assign(partitions)
        consumer.seek_to_beginning()
        records: list[Any] = []
        while any(consumer.position(partition) < ends[partition.partition] for partition in partitions):
            for batch in consumer.poll(timeout_ms=1000).values():
                records += batch
    return [dict(record.headers) for record in records if record.headers]


def states(stack: Stack) -> dict[str, int]:
    """The number of rejected messages in each state."""
    rows = stack.engineer.query("SELECT state, count() FROM quarantine_states GROUP BY state").result_rows
    return {str(state): int(count) for state, count in rows}


def job(stack: Stack, name: str, op: str, **config: Any) -> str:
    """Run a Dagster job in a process of this stack and return its log. Raises CalledProcessError if it fails."""
    wanted = json.dumps({"ops": {op: {"config": config}}})
    code = (
        "import json, sys; from dagster_project.definitions import defs; "
        "defs.resolve_job_def(sys.argv[1]).execute_in_process(run_config=json.loads(sys.argv[2]))"
    )
    call = [sys.executable, "-c", code, name, wanted]
    return subprocess.run(call, env=stack.environment(), capture_output=True, text=True, check=True).stderr
