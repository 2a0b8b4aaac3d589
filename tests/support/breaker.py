"""Messages that open the circuit breaker, and the command `gridstream stream resume`."""

import json
import subprocess
import sys
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from kafka import KafkaProducer

from infra.local.services.simulator import gridstream
from tests.support.stack import Stack


def good() -> bytes:
    """A message that is accepted."""
    now = (datetime.now(UTC) - timedelta(minutes=5)).isoformat()
    message = {
        "schema_version": 1, "event_id": str(uuid.uuid4()), "report_id": uuid.uuid4().hex, "status": "reported",
        "reported_at": now, "updated_at": now, "grid_code": "330203001001", "source": "hotline", "text": "路灯不亮",
        "severity": 2,
    }  # fmt: skip
    return json.dumps(message, ensure_ascii=False).encode()


def send(stack: Stack, partition: int, refused: Callable[[int], bool], count: int) -> None:
    """Send `count` messages to a partition. Those whose number is `refused` are not JSON."""
    producer = KafkaProducer(bootstrap_servers=stack.bootstrap, acks="all")
    for number in range(count):
        producer.send(stack.topic, b"{" if refused(number) else good(), partition=partition)
    producer.flush()
    producer.close()


def held(stack: Stack) -> bool:
    return stack.state is not None and stack.state.condition == "held"


def resume(stack: Stack, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, gridstream(), "stream", "resume", *options]
    return subprocess.run(command, env=stack.environment(), capture_output=True, text=True, check=False)
