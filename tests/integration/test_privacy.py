"""Personal data planted everywhere a message can hold it is in no table, no view and no log afterwards."""

import json
import re
from pathlib import Path

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from infra.settings import Settings
from tests.support.quarantine import command, report, run, send
from tests.support.stack import Stack, end

MOBILE, CARD, MAIL, PLATE, ID_CARD = (
    "13987654321",
    "6222021234567894",
    "zhang.san@example.com",
    "浙B12345",
    "11010519491231002X",
)
PERSON, REPORTER, OWN = "欧阳建国", "reporter-7f3a", "GH-204681"
SECRETS = (MOBILE, CARD, MAIL, PLATE, ID_CARD, PERSON, REPORTER, OWN)
CONTROL = "围墙倒塌无人受伤"  # harmless, so it must be found: the search sees what there is
TEXT = f"{CONTROL}，联系人{PERSON}，电话{MOBILE}，身份证{ID_CARD}，卡号{CARD}，{MAIL}，车牌{PLATE}，工号{OWN}"


@pytest.fixture
def own_patterns(stack: Stack, tmp_path: Path) -> Stack:
    """The stack with a mask pattern of its own."""
    path = tmp_path / "patterns.yaml"
    path.write_text('- {name: 工号, regex: "GH-[0-9]{6}"}\n', "utf-8")
    stack.settings = stack.settings.model_copy(update={"mask_patterns": path})
    return stack


def planted() -> list[object]:
    """Accepted, rejected by either stage, and unreadable."""
    everywhere = {
        **{"text": TEXT, "reporter": REPORTER, "handler": f"处理人{MOBILE}", "source_type": f"x/{MAIL}"},
        **{"note": TEXT, "contact": PERSON, "more": {"deep": [TEXT, int(MOBILE)], f"key {MOBILE}": 1}},
    }
    good, judged, decoded = (report(i) | everywhere for i in range(3))
    judged["grid_code"] = "330203001999"
    decoded["severity"] = f"{MOBILE}"
    broken = json.dumps(report(3) | everywhere, ensure_ascii=False).encode()
    version = report(4) | everywhere | {"schema_version": 99}
    return [good, judged, decoded, broken[:-1], version, MOBILE.encode(), {**decoded, "report_id": MOBILE}]


def found_in_tables(stack: Stack, wanted: tuple[str, ...]) -> dict[str, set[str]]:
    """Which of `wanted` stand in which table or view, in any column."""
    names = stack.engineer.query(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine != 'MaterializedView'"
    ).result_rows
    places: dict[str, set[str]] = {}
    for (name,) in names:
        try:
            text = stack.loader.raw_query(f"SELECT * FROM {name}", fmt="JSONEachRow").decode("utf-8", "replace")
        except DatabaseError as error:  # a view that needs parameters has no rows of its own
            assert "parameter" in str(error), f"{name}: {error}"
            continue
        if hits := {secret for secret in wanted if secret in text}:
            places[str(name)] = hits
    return places


def found_in_files(*folders: Path) -> dict[str, set[str]]:
    """Which secrets stand in which file below these folders."""
    pattern = re.compile("|".join(re.escape(secret) for secret in SECRETS).encode())
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert files
    hits = {str(path): {hit.decode() for hit in pattern.findall(path.read_bytes())} for path in files}
    return {path: places for path, places in hits.items() if places}


def test_planted_personal_data_is_nowhere(own_patterns: Stack, services: Settings) -> None:
    stack = own_patterns
    process = stack.stream_process()
    try:
        send(stack, *planted())
        assert stack.scalar("SELECT count() FROM quarantine FINAL") == 6
        assert command(stack, "replay", "--policy", "reinsert")["done"] == 4  # but for two that are no JSON objects
        stack.wait_until_loaded()
        fix = ("fix", "--rule", "unknown_grid", "--set", f"text='{TEXT}'", "--set", "grid_code='330203001001'")
        assert command(stack, *fix, "--apply")["done"] == 1
        stack.wait_until_loaded()
        said = "".join(run(stack, *words).stdout for words in (("stats",), ("list",), ("list", "--json")))
    finally:
        assert end(process) == 0
    assert found_in_tables(stack, SECRETS) == {}
    assert {"events", "quarantine", "reports"} <= found_in_tables(stack, (CONTROL,)).keys()
    assert not [secret for secret in SECRETS if secret in said]
    assert stack.scalar("SELECT countIf(text LIKE '%[工号]%') FROM events") == 2
    assert found_in_files(stack.settings.home, services.logs) == {}
