"""`gridstream verify`, `sql` and `quarantine` as a person runs them: what they print, and how they end."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq
import pytest
import typer

from infra.cli import quarantine
from infra.cli.data import sql, verify
from infra.cli.quarantine import read
from infra.cli.shared.output import faults_as_lines
from tests.support.world import REJECTED, World


class Result(NamedTuple):
    code: int
    out: str
    err: str
    raw: bytes


Run = Callable[..., Result]


@pytest.fixture
def run(stack: Any, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Run:
    """Run one command line on the test's own database and topic."""
    app = typer.Typer(pretty_exceptions_enable=False)
    for module in (verify, sql, read):
        monkeypatch.setattr(module, "settings", lambda: stack.settings)
    for command in (verify, sql, quarantine):
        command.register(app)

    def run_line(*arguments: str) -> Result:
        with pytest.raises(SystemExit) as stop, faults_as_lines():
            app(arguments)
        out, err = capfdbinary.readouterr()
        return Result(int(stop.value.code or 0), out.decode(errors="replace"), err.decode(), out)

    return run_line


def test_verify_holds(run: Run, world: World) -> None:
    world.write()
    people, machine = run("verify"), run("verify", "--json")
    assert (people.code, machine.code, people.err, machine.err) == (0, 0, "", "")
    assert people.out.rstrip().endswith("HOLDS: nothing lost, nothing counted twice")
    document = json.loads(machine.out)
    assert document["holds"] is True
    assert {check["name"]: check["state"] for check in document["checks"]} == {
        "ledger": "holds",
        "counts": "holds",
        "completeness": "holds",
        "uniqueness": "holds",
        "reports": "holds",
        "rollup": "skipped",
        "marts": "skipped",
    }


def test_verify_names_what_is_lost(run: Run, world: World) -> None:
    world.events.remove(world.event(1, 3))
    world.write()
    people, machine = run("verify"), run("verify", "--json")
    assert (people.code, machine.code) == (1, 1)
    assert "丢失 LOST" in people.out
    assert "partition 1, offset 3" in people.out
    assert people.out.rstrip().endswith("不成立 DOES NOT HOLD")
    (finding,) = json.loads(machine.out)["checks"][2]["findings"]
    assert finding["examples"] == [{"partition": 1, "offset": 3}]


def test_quick_does_not_claim_the_whole(run: Run, world: World) -> None:
    world.write()
    result = run("verify", "--quick")
    assert result.code == 0
    assert result.out.rstrip().endswith("HOLDS as far as checked; Kafka's messages were not read")


def test_verify_of_an_unknown_topic(run: Run, stack: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = stack.settings.model_copy(update={"topic": "nobody.makes.this"})
    monkeypatch.setattr(verify, "settings", lambda: changed)
    result = run("verify")
    assert (result.code, result.out) == (2, "")
    assert "no topic nobody.makes.this" in result.err
    assert len(result.err.splitlines()) == 1


def test_quarantine(run: Run, world: World) -> None:
    world.write()
    stats = json.loads(run("quarantine", "stats", "--json").out)
    assert (stats["total"], stats["stages"], stats["sources"]) == (1, {"decode": 1}, {"": 1})
    assert stats["groups"][0]["reason_zh"] == "不是合法 JSON"
    (listed,) = json.loads(run("quarantine", "list", "--json").out)
    assert (listed["partition"], listed["offset"], listed["payload"]) == (0, REJECTED, "{not json")
    assert listed["kafka_time"] == "2026-11-20T08:00:00+08:00"
    assert json.loads(run("quarantine", "list", "--json", "--reason", "empty").out) == []
    shown = run("quarantine", "show", f"0:{REJECTED}")
    assert "{not json" in shown.out
    assert "不是合法 JSON not_json" in shown.out
    assert "不是合法 JSON" in run("quarantine", "stats").out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("show", "0:0"), "at 0:0 was rejected"),
        (("show", "zero"), "give PARTITION:OFFSET"),
        (("list", "--reason", "not_jsn"), "did you mean not_json?"),
    ],
)
def test_quarantine_mistakes(run: Run, world: World, arguments: tuple[str, ...], message: str) -> None:
    world.write()
    result = run("quarantine", *arguments)
    assert (result.code, result.out, len(result.err.splitlines())) == (2, "", 1)
    assert message in result.err


def test_sql_prints_a_table_json_or_csv(run: Run, world: World) -> None:
    world.write()
    query = (
        "SELECT status, count() AS n, max(updated_at) AS newest FROM reports GROUP BY status ORDER BY status LIMIT 1"
    )
    people, machine = run("sql", query, "--user", "engineer"), run("sql", query, "--user", "engineer", "--json")
    assert "│ accepted │ 1 │ 2026-11-20 09:00:00 +08:00 │" in people.out
    document = json.loads(machine.out)
    assert document["columns"][1] == {"name": "n", "type": "UInt64"}
    assert document["rows"] == [{"status": "accepted", "n": 1, "newest": "2026-11-20T09:00:00+08:00"}]
    csv = run("sql", "SELECT report_id, text FROM reports WHERE report_id = 'R0'", "--user", "engineer", "--csv")
    assert csv.out == '"report_id","text"\n"R0","路灯不亮"\n'


def test_sql_for_spreadsheets(run: Run) -> None:
    query = "SELECT '=1+1' AS a, -5 AS b, '网格' AS c, NULL AS d, 123456789012345678 AS e"
    sheet = run("sql", query, "--user", "engineer", "--spreadsheet")
    assert sheet.out == "\ufeffa,b,c,d,e\r\n'=1+1,-5,网格,,'123456789012345678\r\n"


def test_sql_in_a_format_of_its_own(run: Run) -> None:
    assert run("sql", "SELECT 1 AS a FORMAT TSV", "--user", "engineer").out == "1\n"
    parquet = run("sql", "SELECT number AS n FROM numbers(3) FORMAT Parquet", "--user", "engineer").raw
    assert pq.read_table(io.BytesIO(parquet))["n"].to_pylist() == [0, 1, 2]


def test_sql_of_a_file_in_a_wide_table(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "query.sql"
    file.write_text("SELECT '网格员' AS `姓名`, 2026 AS year, 0.1 + 0.2 AS x, NULL AS nothing;\n", "utf-8")
    lines = run("sql", "--file", str(file), "--user", "engineer").out.splitlines()
    assert lines[1] == "┃ 姓名   ┃ year ┃   x ┃ nothing ┃"
    assert lines[3] == "│ 网格员 │ 2026 │ 0.3 │ -       │"


def test_sql_shows_a_thousand_rows_and_says_so(run: Run) -> None:
    result = run("sql", "SELECT number FROM numbers(5000)", "--user", "engineer")
    assert "│    999 │" in result.out
    assert "│   1000 │" not in result.out
    assert "first 1,000 rows only" in result.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("SELECT nope FROM reports", "--user", "engineer"), "ClickHouse 47 UNKNOWN_IDENTIFIER: "),
        (("SELEC 1", "--user", "engineer"), "ClickHouse 62 SYNTAX_ERROR: "),
        (("INSERT INTO ledger (topic) VALUES ('x')", "--user", "engineer"), "ClickHouse 164 READONLY: "),
        (("DROP TABLE events", "--user", "engineer"), "ClickHouse 164 READONLY: "),
        ((" ; ",), "the query is empty"),
        ((), "give a query or --file"),
        (("SELECT 1", "--json", "--csv"), "give either --json or --csv"),
        (("SELECT 1 FORMAT TSV", "--spreadsheet"), "or FORMAT"),
        (("--file", "/nowhere.sql"), "cannot read /nowhere.sql"),
    ],
)
def test_sql_mistakes(run: Run, arguments: tuple[str, ...], message: str) -> None:
    result = run("sql", *arguments)
    assert (result.code, result.out, len(result.err.splitlines())) == (2, "", 1)
    assert message in result.err


@pytest.fixture
def shared(stack: Any, services: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers may enter the stack's own database only, not those of tests."""
    own = stack.settings.model_copy(update={"database": services.database})
    stack.loader.command(f"CREATE DATABASE IF NOT EXISTS {services.database}")
    monkeypatch.setattr(stack, "settings", own)


@pytest.mark.usefixtures("shared")
def test_an_analyst_is_the_default_and_is_kept_from_hashes_and_writing(run: Run) -> None:
    assert "│ analyst │" in run("sql", "SELECT currentUser() AS user").out
    refused = run("sql", "CREATE TABLE t (a Int8) ENGINE = Memory")
    assert refused.code == 2
    assert refused.err.startswith("错误 error: ClickHouse ")
