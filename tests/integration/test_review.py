"""A model promoted under a running stream, and a doubtful report that comes back decided by a person."""

import csv
import json
import subprocess
import sys
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from infra.local.services.simulator import gridstream
from pipelines.classify.modelfile import SHIPPED, load_model, save_model, versioned
from pipelines.services.publish import Publisher
from tests.support.stack import Stack, Streaming

GRID = "330203001001"
DOUBTFUL = ("ขยะ", "가나다", "мусор")  # no n-gram of these is known to a model of Chinese text
_STATE = "SELECT event_type, decided_by, status, text FROM reports WHERE report_id = {report:String}"


def command(stack: Stack, *words: str, code: int = 0) -> Any:
    """Run a gridstream command with --json; its document."""
    answer = subprocess.run(
        [sys.executable, gridstream(), *words, "--json"],
        env=stack.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == code, answer.stderr
    return json.loads(answer.stdout)


def publish(stack: Stack, **texts: str) -> None:
    """One new report for each name, and wait until all are loaded."""
    at = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    with Publisher(stack.bootstrap, stack.topic) as publisher:
        for name, text in texts.items():
            message = {
                **{"schema_version": 1, "event_id": str(uuid.uuid4()), "report_id": name, "status": "accepted"},
                **{"reported_at": at, "updated_at": at, "grid_code": GRID, "source": "hotline", "severity": 2},
                **{"text": text, "reporter": "somebody", "渠道": "窗口"},
            }
            publisher.send(json.dumps(message).encode(), GRID.encode())
    stack.wait_until_loaded()


def fill_in(path: Path, report: str, code: str) -> None:
    """What a clerk does: a code in one report's line, another's made wrong."""
    rows = list(csv.reader(path.read_text("utf-8-sig").splitlines()))
    for row in rows[1:]:
        row[1] = code if row[0] == report else "000"
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows(rows)


def test_promoted_without_restart_and_reviewed(stack: Stack, streaming: Streaming, tmp_path: Path) -> None:
    shipped = load_model(SHIPPED)
    other = versioned(replace(shipped, threshold=0.99))  # the same training: as good on the holdout, but far shyer
    save_model(other, tmp_path / "other.npz")
    with streaming() as process:
        publish(stack, **{f"before-{number}": text for number, text in enumerate(DOUBTFUL)})
        promoted = command(stack, "model", "promote", str(tmp_path / "other.npz"))
        assert promoted["promoted"] == other.version
        publish(stack, after="かな")
        versions = dict(stack.engineer.query("SELECT report_id, model_version FROM events").result_rows)
        assert versions["before-0"] == shipped.version
        assert versions["after"] == other.version

        path = tmp_path / "queue.csv"
        exported = command(stack, "review", "export", str(path))
        assert exported["lines"] == exported["reports"] == len(DOUBTFUL) + 1
        fill_in(path, "before-1", "405")
        said = command(stack, "review", "import", str(path), code=1)
        assert (said["sent"], len(said["faults"])) == (1, len(DOUBTFUL))
        stack.wait_until_loaded()
        state = stack.engineer.query(_STATE, {"report": "before-1"}).result_rows
        assert state == [(405, "person", "accepted", DOUBTFUL[1])]
        again = command(stack, "review", "import", str(path), code=1)
        assert (again["sent"], again["already"]) == (0, 1)
        assert process.poll() is None
    assert stack.scalar("SELECT count() FROM quarantine") == 0
    assert stack.scalar("SELECT count() FROM events FINAL WHERE report_id = 'before-1'") == 2
    assert stack.scalar("SELECT count() FROM review_queue") == len(DOUBTFUL)
    extra = "SELECT extra FROM events WHERE report_id = 'before-1' AND decided_by = 'person'"
    assert json.loads(str(stack.scalar(extra))) == {"渠道": "窗口"}
