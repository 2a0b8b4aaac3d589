"""Simulated messages, and the comparison of ClickHouse with them."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

from infra.local.services.simulator import gridstream
from pipelines.sources.simulator.manifest import Manifest, read_manifest
from pipelines.verify import verify
from tests.support.stack import Stack

_REPORTS = "SELECT report_id, status, grid_code, updated_at, toString(event_id), event_type, decided_by FROM reports"


def simulate(stack: Stack, path: Path, *options: str) -> Manifest:
    """Run `gridstream simulate` and return the manifest it wrote."""
    command = [sys.executable, gridstream(), "simulate", "--manifest", str(path), "--json", *options]
    answer = subprocess.run(command, env=stack.environment(), capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    return read_manifest(path)


def require_equal(stack: Stack, manifest: Manifest) -> None:
    """Compare events, quarantine and reports in ClickHouse with what the manifest expects."""
    wanted = manifest.expected_events()
    rows = stack.engineer.query("SELECT toString(event_id), report_id, grid_code, status FROM events FINAL").result_rows
    assert sorted(row[0] for row in rows) == sorted(wanted)
    assert all(
        (row[1], row[2], row[3]) == (wanted[row[0]].report_id, wanted[row[0]].grid, wanted[row[0]].status)
        for row in rows
    )
    reasons = stack.engineer.query("SELECT reason, count() FROM quarantine FINAL GROUP BY reason").result_rows
    assert Counter(dict(reasons)) == manifest.expected_quarantine_by_reason()
    states = {row[0]: row[1:] for row in stack.engineer.query(_REPORTS).result_rows}
    assert states.keys() == manifest.expected_reports().keys()
    for name, state in manifest.expected_reports().items():
        status, grid, updated, event_id, kind, decided_by = states[name]
        assert (status, grid, updated, event_id) == (state.status, state.grid, state.updated_at, state.event_id)
        assert state.decided is None or (kind == state.decided and decided_by in ("person", "crosswalk"))


def require_proof(stack: Stack) -> None:
    """Require that `verify` holds."""
    report = verify(
        stack.bootstrap, stack.topic, stack.settings.clickhouse("engineer"), stack.settings.hash_key_bytes()
    )
    assert report.holds, json.dumps(report, default=str, ensure_ascii=False, indent=1)
