"""Row rules on a real ClickHouse: the view derives what the stream derives, and Great Expectations, reading the view,
objects to the very rows that the stream objects to."""

import random
from time import monotonic
from typing import Any
from urllib.parse import quote, urlsplit

import numpy as np
import pyarrow as pa
import pytest

from pipelines.classify import load_model
from pipelines.clock import utc_now
from pipelines.intake.decode import Limits
from pipelines.intake.judge import WARNED_ON
from pipelines.intake.rules.columns import DERIVED, Columns, Context
from pipelines.intake.rules.compile import row_checks
from pipelines.load.loader import Loader
from pipelines.load.ranges import Stream, Totals
from pipelines.load.rows import Rows
from pipelines.places.registry import RegistryReader
from pipelines.stream.chunks import offsets_of
from pipelines.stream.prepare import Preparation, prepare
from schemas.expectations import suites
from tests.support.messages import message, records
from tests.support.random_events import CONTEXT, GRIDS, NOW, stored
from tests.support.stack import Stack

STREAM = Stream("t", "11111111-1111-1111-1111-111111111111", 1, 1)
ROWS = 3000
SUITE = suites()["events"]
DERIVED_NAMES = sorted(DERIVED)
_VIEW = f"SELECT {', '.join(DERIVED_NAMES)} FROM quality_events ORDER BY kafka_offset"  # noqa: S608 - names of our own


@pytest.fixture
def rows(stack: Stack) -> pa.Table:
    """Random rows as the stream has them; stored as they are, without being judged."""
    made = stored(ROWS, seed=20)
    contents = pa.array(range(1, ROWS + 1), pa.uint64())  # rows with one event_id must not merge
    moments = pa.repeat(pa.scalar(NOW, pa.timestamp("ms", "UTC")), ROWS)
    whole = made.append_column("content", contents).append_column("loaded_at", moments)
    names = ["grid_code", "town_code", "county_code", "city_code", "valid_from", "valid_to"]
    registry = [[getattr(grid, name) for name in names] for grid in GRIDS]
    stack.loader.insert("grids", registry, column_names=names)
    stack.loader.insert_arrow("events", whole, settings={"max_partitions_per_insert_block": 0})
    return made


def test_the_view_derives_what_the_stream_derives(stack: Stack, rows: pa.Table) -> None:
    stored_columns = stack.engineer.query_arrow(_VIEW, use_strings=True)
    assert stored_columns.num_rows == ROWS
    columns = Columns(rows, CONTEXT)
    for name in set(DERIVED_NAMES) - {"day"}:
        ours = np.array(columns[name].to_pylist(), np.float64)
        theirs = np.array(stored_columns[name].to_pylist(), np.float64)
        np.testing.assert_array_equal(ours, theirs, err_msg=name)


def test_great_expectations_objects_to_the_rows_that_the_stream_objects_to(stack: Stack, rows: pa.Table) -> None:
    names = tuple(rows.schema.names)
    ours = {
        rule: set(np.flatnonzero(broken).tolist())
        for checks in (row_checks("reject", names), row_checks("warn", names))
        for rule, broken in zip(checks.rules, checks.broken(Columns(rows, CONTEXT)), strict=True)
    }
    assert all(0 < len(broken) < ROWS for broken in ours.values())
    assert _objected(stack) == ours


_VARIANTS: dict[str, list[Any]] = {
    "status": ["reported", "resolved", "closed"],
    "text": ["楼道堆放杂物", "请回电13812345678", "13812345678", "12", "1234567", "，，，，，"],
    "handler": [None, "甲科", "13812345678"],
    "severity": [1, 4],
    "grid_code": ["330203001001", "330203001001", "999999999999"],
    "location": [
        None,
        *({"lon": 121.55, "lat": lat, "crs": crs} for lat in (29.87, 31.5) for crs in ("wgs84", "gcj02")),
    ],
    "reported_at": ["2026-03-01T08:00:00+08:00", "2020-03-01T08:00:00+08:00"],
    "due_at": [None, "2026-03-30T08:00:00+08:00", "2019-01-01T00:00:00Z"],
    "updated_at": ["2026-03-01T08:00:00+08:00", "2026-03-01T09:00:00+08:00", "2019-03-01T08:00:00+08:00"],
}


def test_what_the_stream_loaded_holds_its_rules_and_bears_its_warnings(stack: Stack) -> None:
    """From the bytes to the view: nothing stored breaks a rule that refuses, and the warnings are the very rows that
    Great Expectations objects to."""
    draw = random.Random(5)
    messages = [
        message(event_id=f"{i:08x}-0000-4000-8000-000000000000", report_id=f"R{i}")
        | {name: draw.choice(values) for name, values in _VARIANTS.items()}
        for i in range(ROWS)
    ]
    chunk = records(*messages)
    context = Context(RegistryReader().current(stack.loader), frozenset({999}), utc_now())
    plan = Preparation(STREAM, Limits(), context, load_model(None), b"k" * 16)
    rows = prepare(chunk, offsets_of(chunk), plan)
    Loader(stack.loader, STREAM, 1).load(rows, unfinished=False, started=monotonic(), before=Totals())
    stored_warnings = stack.engineer.query("SELECT kafka_offset, warnings FROM events").result_rows
    assert 0 < len(stored_warnings) < ROWS
    expected: dict[str, set[int]] = {rule.rule: set() for rule in SUITE.of_level("row")}
    for offset, warned in stored_warnings:
        for rule in warned:
            expected[rule].add(offset)
    assert {rule for rule, offsets in expected.items() if offsets} == set(row_checks("warn", WARNED_ON).rules)
    assert _objected(stack) == expected
    _ledger_tells(stack, rows)


def _ledger_tells(stack: Stack, rows: Rows) -> None:
    warned, masked = stack.engineer.query("SELECT warned, masked FROM ledger WHERE phase = 'after'").result_rows[0]
    assert warned == rows.warned == stack.scalar("SELECT countIf(notEmpty(warnings)) FROM events")
    assert masked == rows.masked
    in_events = stack.scalar("SELECT sum(position(text, '[手机号]') > 0) + countIf(handler = '[手机号]') FROM events")
    in_quarantine = stack.scalar("SELECT sum(countSubstrings(payload, '[手机号]')) FROM quarantine")
    assert masked == {"手机号": int(str(in_events)) + int(str(in_quarantine))}


def _objected(stack: Stack) -> dict[str, set[int]]:
    """The offsets of the rows that Great Expectations objects to on the view, by rule."""
    import great_expectations as gx
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    source = context.data_sources.add_sql("tables", connection_string=_address(stack))
    batch = source.add_table_asset("rows", SUITE.reads).add_batch_definition_whole_table("whole").get_batch()
    suite = gx.ExpectationSuite("rows")
    for rule in SUITE.of_level("row"):
        configuration = ExpectationConfiguration(rule.type, rule.kwargs, meta={"rule": rule.rule})
        suite.add_expectation(configuration.to_domain_obj())  # keeps a second rule of a kind on a column
    result_format = {
        "result_format": "COMPLETE",
        "unexpected_index_column_names": ["kafka_offset"],
        "partial_unexpected_count": ROWS,  # the list of offsets ends there, COMPLETE or not
    }
    outcome = batch.validate(suite, result_format=result_format)
    return {result.expectation_config.meta["rule"]: _offsets(result) for result in outcome.results}


def _offsets(result: Any) -> set[int]:
    assert not result.exception_info.get("raised_exception"), result.exception_info
    offsets = {int(row["kafka_offset"]) for row in result.result["unexpected_index_list"] or ()}
    assert len(offsets) == result.result["unexpected_count"]
    return offsets


def _address(stack: Stack) -> str:
    target = stack.settings.clickhouse("engineer")
    place = urlsplit(target.url).netloc
    return f"clickhousedb://{target.user}:{quote(target.password)}@{place}/{target.database}"
