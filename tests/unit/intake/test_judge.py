"""Judge: each rule alone, all rules together, and what accepted rows gain."""

from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipelines.intake.decode import decode
from pipelines.intake.judge import REFUSALS, judge
from pipelines.intake.rules.columns import Context
from pipelines.places.coordinates import gcj02_shift, to_wgs84
from pipelines.places.grids import GridIndex, GridRow
from schemas.reasons import reasons
from tests.support.messages import message, records

NOW = datetime(2026, 3, 2, tzinfo=UTC)
BEFORE = "2026-02-28T08:00:00+08:00"


def _grid(code: str, **changes: Any) -> GridRow:
    row = GridRow(code, code[:9], code[:6], "330200", "Asia/Shanghai", date(2018, 1, 1), None)
    return row._replace(**changes)


GRIDS = GridIndex.of(
    [
        _grid("330203001001"),
        _grid("330203001002", valid_to=date(2026, 2, 28)),
        _grid("330203001003", valid_from=date(2026, 3, 1)),
        _grid("330203001004", valid_from=date(1990, 1, 1)),
        _grid("840617001001", city_code="840617", timezone="America/New_York"),
    ]
)
CONTEXT = Context(GRIDS, frozenset({405, 999}), NOW)


def judged(*messages: dict[str, Any], context: Context = CONTEXT) -> Any:
    return judge(decode(records(*messages)).good, context)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"grid_code": "330203001999"}, "unknown_grid"),
        ({"grid_code": "330203001002"}, "grid_not_valid_that_day"),
        ({"grid_code": "330203001003", "reported_at": BEFORE}, "grid_not_valid_that_day"),
        ({"event_type": 404}, "unknown_event_type"),
        ({"reported_at": "1999-12-31T23:59:59Z", "grid_code": "330203001004"}, "before_the_epoch"),
        ({"updated_at": "2026-03-02T00:05:01Z"}, "in_the_future"),
        ({"updated_at": BEFORE}, "updated_before_reported"),
        ({"due_at": BEFORE}, "due_before_reported"),
        ({"due_at": "9999-01-01T00:00:00Z"}, "due_too_late"),
        ({"event_id": "00000000-0000-0000-0000-000000000000"}, "nil_event_id"),
        ({"satisfaction": 5}, "satisfaction_not_closed"),
    ],
)
def test_each_rule_alone(changes: dict[str, Any], reason: str) -> None:
    result = judged(message(), message(**changes))
    assert result.good["offset"].to_pylist() == [0]
    assert result.rejects["reasons"].to_pylist() == [[reason]]


def test_every_rule_is_a_known_reason_of_this_stage() -> None:
    assert set(REFUSALS.rules) == {name for name, reason in reasons().items() if reason.stage == "judge"}


@pytest.mark.parametrize(
    "changes",
    [
        {"updated_at": "2026-03-02T00:05:00Z"},
        {"grid_code": "330203001002", "reported_at": BEFORE},
        {"status": "closed", "satisfaction": 5},
        {"event_type": 405},
    ],
)
def test_just_inside_the_rules(changes: dict[str, Any]) -> None:
    assert judged(message(**changes)).rejects.num_rows == 0


def test_all_broken_rules_are_kept_the_most_important_first() -> None:
    broken = message(grid_code="999999999999", satisfaction=1, updated_at=BEFORE)
    rejects = judged(broken).rejects
    assert rejects["reason"].to_pylist() == ["unknown_grid"]
    assert rejects["reasons"].to_pylist() == [["unknown_grid", "updated_before_reported", "satisfaction_not_closed"]]


def test_the_day_is_the_citys_own() -> None:
    late = {"reported_at": "2026-02-28T17:00:00Z", "updated_at": "2026-02-28T17:00:00Z"}
    good = judged(message(**late), message(grid_code="840617001001", **late)).good
    assert good["day"].to_pylist() == [date(2026, 3, 1), date(2026, 2, 28)]
    assert good["city_code"].to_pylist() == ["330200", "840617"]
    assert good["town_code"].to_pylist() == ["330203001", "840617001"]


def test_gcj02_becomes_wgs84_and_the_rest_stays() -> None:
    at = {"lon": 121.55, "lat": 29.87}
    good = judged(message(location=at | {"crs": "gcj02"}), message(location=at | {"crs": "cgcs2000"}), message()).good
    moved_metres = np.hypot((good["lon"][0].as_py() - 121.55) * 96_500, (good["lat"][0].as_py() - 29.87) * 110_900)
    assert 400 < moved_metres < 600
    assert good["lon"].to_pylist()[1:] == [121.55, None]


def test_the_shift_is_undone_to_a_millimetre() -> None:
    lon, lat = np.linspace(118, 123, 50), np.linspace(28, 31, 50)
    d_lon, d_lat = gcj02_shift(lon, lat)
    back_lon, back_lat = to_wgs84(lon + d_lon, lat + d_lat, np.ones(50, bool))
    assert np.abs(back_lon - lon).max() < 1e-8
    assert np.abs(back_lat - lat).max() < 1e-8


def test_no_rows_and_an_empty_registry() -> None:
    nothing = judge(decode(records(message())).good.slice(0, 0), CONTEXT)
    assert (nothing.good.num_rows, nothing.rejects.num_rows) == (0, 0)
    assert nothing.good.schema.field("city_code").type == pa.string()
    unknown = judged(message(), context=Context(GridIndex.of([]), frozenset({999}), NOW))
    assert unknown.rejects["reason"].to_pylist() == ["unknown_grid"]
