"""`gridstream check`: each line is answered in order, as the stream would treat it."""

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from infra.cli.app import build
from pipelines.classify import load_model
from pipelines.intake.decode import Limits
from pipelines.intake.rules.columns import Context
from pipelines.load.ranges import Stream
from pipelines.places.grids import GridIndex, GridRow
from pipelines.stream.check import check
from pipelines.stream.prepare import Preparation
from schemas.event_types import known_codes
from tests.support.messages import encoded, message

GRID = GridRow("330203001001", "330203001", "330203", "330200", "Asia/Shanghai", date(2018, 1, 1), None)


@pytest.fixture(scope="module")
def plan() -> Preparation:
    context = Context(GridIndex.of([GRID]), known_codes(), datetime(2026, 3, 2, tzinfo=UTC))
    return Preparation(Stream("check", "", 0, 0), Limits(), context, load_model(None), b"k" * 16)


def lines(*values: object) -> list[bytes]:
    return [encoded(value) or b"" for value in values]


def test_every_line_is_answered_in_order(plan: Preparation) -> None:
    resend = message(text="请联系13812345678")
    answers = check(lines(b"{", resend, message(grid_code="999999999999"), b"", resend), 10, plan)
    assert [answer.line for answer in answers] == [10, 11, 12, 13, 14]
    assert [answer.outcome for answer in answers] == ["quarantine", "event", "quarantine", "quarantine", "event"]
    assert [answer.reasons[:1] for answer in answers] == [["not_json"], [], ["unknown_grid"], ["empty"], []]
    assert answers[1].text == answers[4].text == "请联系[手机号]"
    assert answers[1].masked == answers[4].masked == {"手机号": 1}
    assert answers[1].event_type is not None


@pytest.mark.parametrize("field", ["grid_code", "event_id"])
@pytest.mark.parametrize("tail", ["\n", "\r", "\r\n", " ", "\u2028", "\0"])
def test_an_id_ends_where_its_pattern_ends(plan: Preparation, field: str, tail: str) -> None:
    [answer] = check(lines(message(**{field: message()[field] + tail})), 1, plan)
    assert (answer.outcome, answer.reasons) == ("quarantine", ["bad_value"])


def test_unknown_fields_are_kept_at_every_depth(plan: Preparation) -> None:
    location = {"lon": 121.55, "lat": 29.87, "crs": "wgs84", "address": "解放南路1号", "fix": {"accuracy_m": 12}}
    [answer] = check(lines(message(location=location, mood="calm")), 1, plan)
    assert answer.extra == {"mood": "calm", "location": {"address": "解放南路1号", "fix": {"accuracy_m": 12}}}


@pytest.mark.parametrize("depth", [31, 33, 400, 990, 5000])
def test_nesting_of_any_depth_costs_one_message(plan: Preparation, depth: int) -> None:
    body = json.dumps(message())[:-1]
    deep = f'{body}, "x": {"[" * depth}"13812345678"{"]" * depth}}}'
    answers = check(lines(deep.encode(), message()), 1, plan)
    assert [answer.outcome for answer in answers] == ["event" if depth < 32 else "quarantine", "event"]
    assert "13812345678" not in str(answers[0])


def test_the_command_answers_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "messages.jsonl"
    path.write_bytes(b"\n".join(lines(message(), b"nonsense")))
    answer = CliRunner().invoke(build(), ["check", str(path)])
    assert answer.exit_code == 0
    assert [json.loads(line)["line"] for line in answer.stdout.splitlines()] == [1, 2]
    assert CliRunner().invoke(build(), ["check", "--strict", str(path)]).exit_code == 1
