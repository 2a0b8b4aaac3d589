"""kill -9 of any part, at random, while messages flow; then the stack heals by itself and nothing is amiss."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from infra.cli.stack.stack import bring_up
from infra.local import stack as embedded
from infra.local.fetch.java import find_java
from infra.local.services.simulator import gridstream
from infra.local.supervise.environment import environment
from infra.local.supervise.states import processes
from infra.settings import Settings
from pipelines.errors import GridstreamError
from pipelines.services.clickhouse import connect
from pipelines.sources.simulator.manifest import read_manifest
from pipelines.verify import verify
from pipelines.watch.lag import wait_until_loaded
from tests.support.stack import own_settings

SECONDS, RATE = 150, 200
VICTIMS = ("stream", "clickhouse", "kafka")


@pytest.fixture
def whole(tmp_path: Path) -> Iterator[Settings]:
    """A whole stack of its own, without Dagster."""
    now = own_settings(tmp_path)
    try:
        bring_up(now, ("kafka", "clickhouse", "stream"))
        yield now
    finally:
        embedded.down(now)


@pytest.mark.timeout(1200)
def test_random_kills_while_messages_flow(whole: Settings, tmp_path: Path) -> None:
    chance = random.Random(int(os.environ.get("GRIDSTREAM_CHAOS_SEED", "1")))
    path = tmp_path / "manifest.jsonl"
    killed = []
    with _simulator(whole, path) as simulator:
        ends = time.monotonic() + SECONDS
        while time.monotonic() < ends:
            time.sleep(chance.uniform(5, 20))
            victim = chance.choice(VICTIMS)
            if pid := next(part.pid for part in processes(whole) if part.name == victim):
                os.kill(pid, signal.SIGKILL)
                killed.append(victim)
        simulator.wait(240)
    print("killed", killed)
    bring_up(whole, ("kafka", "clickhouse", "stream"))
    _wait(whole)
    report = verify(whole.kafka_bootstrap, whole.topic, whole.clickhouse("engineer"), whole.hash_key_bytes())
    assert report.holds, json.dumps(report.document(), default=str, ensure_ascii=False)
    _require_acknowledged(whole, path)


def _simulator(now: Settings, manifest: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, gridstream(), "simulate", "--live", "--rate", str(RATE), "--seconds", str(SECONDS)]
    env = environment(now, find_java(now.cache))
    return subprocess.Popen([*command, "--manifest", str(manifest), "--json"], env=env, stdout=subprocess.DEVNULL)


def _wait(now: Settings) -> None:
    deadline = time.monotonic() + 300
    while True:
        try:
            with closing(connect(now.clickhouse("engineer"))) as client:
                return wait_until_loaded(client, now.kafka_bootstrap, now.topic, 120)
        except GridstreamError:
            if time.monotonic() > deadline:
                raise
            time.sleep(2)


def _require_acknowledged(now: Settings, path: Path) -> None:
    """All that Kafka acknowledged is in; what it did not may be."""
    wanted = set(read_manifest(path).expected_events())
    with closing(connect(now.clickhouse("engineer"))) as client:
        stored = {row[0] for row in client.query("SELECT toString(event_id) FROM events FINAL").result_rows}
        reasons = {row[0] for row in client.query("SELECT reason FROM quarantine GROUP BY reason").result_rows}
    assert wanted <= stored
    assert len(wanted) > 1000
    print({"acknowledged": len(wanted), "stored": len(stored), "reasons": sorted(reasons)})
