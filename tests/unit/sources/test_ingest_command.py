"""`gridstream ingest --dry-run`: what a file would become, and the exit code."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from infra.cli.app import build
from pipelines.sources.files.pingshan import Pingshan

GOOD = dict.fromkeys(Pingshan.columns, "1") | {"CREATE_TIME": "2018/7/4 17:24", "EVENT_SRC_NAME": "12345"}
BAD = GOOD | {"CREATE_TIME": "7/4/2018 17:24"}


def run(tmp_path: Path, rows: list[dict[str, str]], *options: str) -> tuple[int, dict[str, Any]]:
    path = tmp_path / "events.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, Pingshan.columns)
        writer.writeheader()
        writer.writerows(rows)
    command = ["ingest", str(path), "--source", "pingshan", "--dry-run", "--json", *options]
    answer = CliRunner().invoke(build(), command)
    return answer.exit_code, json.loads(answer.stdout) if answer.stdout else {}


@pytest.mark.parametrize(("rows", "code", "problems"), [([BAD, BAD], 1, 2), ([BAD, GOOD], 0, 1), ([], 0, 0)])
def test_an_import_of_which_no_row_survives_fails(
    tmp_path: Path, rows: list[dict[str, str]], code: int, problems: int
) -> None:
    exit_code, document = run(tmp_path, rows)
    assert (exit_code, document["rows"], document["problems"]) == (code, len(rows), problems)


@pytest.mark.parametrize("written", ["yesterday", "2999-01-01T00:00+08:00"])
def test_the_time_of_an_export_is_a_time_that_has_passed(tmp_path: Path, written: str) -> None:
    exit_code, _ = run(tmp_path, [GOOD], "--exported-at", written)
    assert exit_code != 0
