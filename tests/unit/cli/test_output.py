"""The helpers every command prints with."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import numpy as np
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError
from rich.console import Console

from infra.cli.shared import output
from pipelines.clock import SHANGHAI
from pipelines.errors import PositionFault, TransientFault, UserFault


@dataclass
class Sample:
    name: str
    count: int


def test_json_takes_what_commands_have() -> None:
    document = {
        "sample": Sample("城市", 1),
        "numpy": [np.int64(3), np.float32(0.5), np.array([1, 2])],
        "nan": float("nan"),
        "id": UUID(int=5),
        "decimal": Decimal("1.50"),
        "time": datetime(2026, 11, 24, 8, tzinfo=UTC).astimezone(SHANGHAI),
    }
    assert json.loads(output.to_json(document)) == {
        "sample": {"name": "城市", "count": 1},
        "numpy": [3, 0.5, [1, 2]],
        "nan": None,
        "id": "00000000-0000-0000-0000-000000000005",
        "decimal": "1.50",
        "time": "2026-11-24T16:00:00+08:00",
    }
    assert "城市" in output.to_json(document)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        (True, "是 yes"),
        (1234567, "1,234,567"),
        (0.123456, "0.1235"),
        (float("nan"), "nan"),
        (datetime(2026, 11, 24, 8, 30), "2026-11-24 16:30:00 +08:00"),
        (datetime(2026, 11, 24, 8, 30, tzinfo=UTC), "2026-11-24 16:30:00 +08:00"),
    ],
)
def test_cells(value: object, shown: str) -> None:
    assert output.cell(value) == shown


@pytest.mark.parametrize(
    ("length", "shown"), [(0.417, "0.42 s"), (12.4, "12 s"), (59.9, "60 s"), (185, "3 min 05 s"), (7620, "2 h 07 min")]
)
def test_lengths_of_time(length: float, shown: str) -> None:
    assert output.seconds(length) == shown


@pytest.mark.parametrize(("part", "shown"), [(0.9731, "97.3 %"), (None, "-"), (float("nan"), "-"), (0.0, "0.0 %")])
def test_shares(part: float | None, shown: str) -> None:
    assert output.percent(part) == shown


def test_tables_align_chinese_and_read_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [["[red]空消息", 12], ["x", None]]
    output.emit(None, False, lambda: output.table("", [output.Column("原因"), output.Column("条", right=True)], rows))
    lines = capsys.readouterr().out.splitlines()
    assert "│ [red]空消息 │ 12 │" in lines
    assert "│ x           │  - │" in lines


@pytest.mark.parametrize(
    ("error", "code"), [(UserFault("one line"), 2), (TransientFault("one line"), 2), (PositionFault("one line"), 1)]
)
def test_faults_are_one_line_and_an_exit_code(error: Exception, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop, output.faults_as_lines():
        raise error
    printed = capsys.readouterr()
    assert (stop.value.code, printed.out, printed.err) == (code, "", "错误 error: one line\n")


def test_other_errors_are_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError), output.faults_as_lines():
        print(1 / 0)


def test_a_server_fault_is_one_line() -> None:
    text = (
        "Received ClickHouse exception, code: 47, server response: Code: 47. DB::Exception: Unknown identifier `nope` "
        "(in scope). (UNKNOWN_IDENTIFIER) (version 26.9.2.1 (official build)) (for url http://127.0.0.1:18923)\nmore"
    )
    error = DatabaseError(text, code=47, name="UNKNOWN_IDENTIFIER")
    line = "ClickHouse 47 UNKNOWN_IDENTIFIER: Unknown identifier `nope` (in scope)."
    assert output.clickhouse_line(error) == line
    assert output.clickhouse_line(DatabaseError("")) == "ClickHouse: "


def test_progress_is_silent_away_from_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with output.progress("reading", 10) as advance:
        advance(10)
    assert capsys.readouterr() == ("", "")


WIDE = [output.Column("区域", "area"), output.Column("上报", "reports", right=True),
        output.Column("每千户", "per 1,000 households", right=True, rank=1),
        output.Column("重开", "reopened", right=True, rank=2)]  # fmt: skip
ROWS = [("海曙区 Haishu District", 12345, 12.34, 123), ("鄞州区 Yinzhou District", 1, None, 0)]


@pytest.mark.parametrize(
    ("width", "left_out"), [(100, []), (61, []), (60, ["重开"]), (50, ["重开"]), (49, ["每千户", "重开"])]
)
def test_columns_are_left_out_and_named_until_rows_fit(
    width: int, left_out: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(output, "console", Console(width=width, highlight=False))
    output.console.print(output.table("排名", WIDE, ROWS))
    lines = capsys.readouterr().out.splitlines()
    assert sum("12,345" in line and "海曙区 Haishu District" in line for line in lines) == 1
    headers, below = "\n".join(lines[1:5]), "\n".join(line for line in lines if "│" not in line and "┃" not in line)
    for column in WIDE:
        assert (column.zh in headers) != (column.zh in left_out)
        assert (column.zh in below) == (column.zh in left_out)


def test_a_column_without_a_rank_is_never_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "console", Console(width=20))
    assert [str(column.header).split("\n")[0] for column in output.table("", WIDE, ROWS).columns] == ["区域", "上报"]
