"""`gridstream logs`: the list of logs, and what the lines look like."""

import logging
from datetime import datetime
from pathlib import Path

import pytest

from infra.cli.stack import stack
from infra.cli.stack.stream import ZonedFormatter
from infra.settings import Settings
from pipelines.errors import UserFault


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    config = Settings(home=tmp_path)
    monkeypatch.setattr(stack, "settings", lambda: config)
    config.logs.mkdir(parents=True)
    (config.logs / "stream.log").write_text("first\nsecond\n", "utf-8")
    return tmp_path


def test_without_a_part_the_logs_are_listed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stack.logs(as_json=True)
    printed = capsys.readouterr().out
    assert '"part": "stream"' in printed
    assert '"bytes": 13' in printed
    assert "kafka" not in printed  # it has none yet


def test_an_unknown_part_names_the_known_ones(home: Path) -> None:
    with pytest.raises(UserFault, match="choose from: kafka, clickhouse, stream"):
        stack.logs("streem")


def test_lines_of_the_stream_have_an_offset() -> None:
    record = logging.LogRecord("gridstream", logging.INFO, "", 1, "loaded %d", (7,), None)
    moment, offset, rest = ZonedFormatter("%(asctime)s %(levelname)s %(message)s").format(record).partition("+08:00")
    assert abs(datetime.fromisoformat(moment + offset).timestamp() - record.created) < 0.002
    assert rest == " INFO loaded 7"
