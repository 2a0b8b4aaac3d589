"""Great Expectations proper, on ClickHouse. Import this inside functions only: it takes seconds.

The context lives in memory, and the password in the arguments of the connection alone: neither it nor the address is
part of anything that is kept.
"""

import io
import logging
from collections.abc import Mapping
from contextlib import redirect_stdout
from datetime import date
from typing import Any
from urllib.parse import urlsplit

from clickhouse_connect.cc_sqlalchemy import dialect

from pipelines.quality.gx_import import ExpectationConfiguration
from pipelines.quality.gx_import import great_expectations as gx
from pipelines.services.clickhouse import ClickHouse
from schemas.expectations import Expectation, Suite

# GX looks for the dialect's class under the dialect, as SQLAlchemy's own packages have it; without it, no regex.
setattr(dialect.ClickHouseDialect, "ClickHouseDialect", dialect.ClickHouseDialect)  # noqa: B010  (mypy knows no such attribute)

SEVERITIES: Mapping[str, Any] = {"reject": "critical", "warn": "warning"}  # the others are GX's own words

# `limit`, of every answer: GX reads a whole batch to learn its columns' names, and every row that a query of ours
# gives. Counts are counted by the server.
_SERVER = {"readonly": "2", "limit": "20"}

# Columns that name a row, for sample queries.
KEYS: Mapping[str, list[str]] = {
    "events": ["event_id", "report_id"],
    "reports": ["report_id"],
    "quarantine": ["topic", "kafka_partition", "kafka_offset"],
    "ledger": ["topic", "kafka_partition", "first_offset"],
    "rollup_daily": ["grid_code", "event_type"],
}


def context(target: ClickHouse) -> Any:
    """A GX context in memory with `target` as its only source, for reading."""
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    made: Any = gx.get_context(mode="ephemeral")
    made.variables.progress_bars = {"globally": False}
    parts = urlsplit(target.url)
    secure = {"secure": "true"} if parts.scheme == "https" else {}
    port = parts.port or (8443 if secure else 8123)
    made.data_sources.add_sql(
        "clickhouse",
        connection_string=f"clickhousedb://{target.user}@{parts.hostname}:{port}/{target.database}",
        kwargs={"connect_args": {"password": target.password, **_SERVER, **secure}},
    )
    return made


def run(made: Any, suite: Suite, day: date, with_queries: bool = False) -> dict[str, Any]:
    """The validation result of `suite` on one day, as JSON, without values.

    with_queries: GX says for each rule on values by which query its rows are found; costs a query more for each.
    """
    with redirect_stdout(io.StringIO()):  # GX prints about queries that look beyond their batch on purpose
        checkpoint = _checkpoint(made, suite, day, with_queries)
        (found,) = checkpoint.run().run_results.values()
    return dict(found.to_json_dict())


def _checkpoint(made: Any, suite: Suite, day: date, with_queries: bool) -> Any:
    name = f"{suite.table} {day}{' with queries' if with_queries else ''}"
    source = made.data_sources.get("clickhouse")
    asset = source.add_query_asset(name, f"SELECT * FROM {suite.reads} WHERE day = '{day}'")  # noqa: S608  (ours)
    whole = asset.add_batch_definition_whole_table(day.isoformat())
    expected = made.suites.add_or_update(translated(suite, day))
    definition = gx.ValidationDefinition(name=name, data=whole, suite=expected)
    keys = {"unexpected_index_column_names": KEYS[suite.table], "return_unexpected_index_query": True}
    checkpoint = gx.Checkpoint(
        name=name,
        validation_definitions=[made.validation_definitions.add_or_update(definition)],
        result_format={"result_format": "SUMMARY", "exclude_unexpected_values": True, **(keys if with_queries else {})},
    )
    return made.checkpoints.add_or_update(checkpoint)


def translated(suite: Suite, day: date) -> Any:
    """`suite` as a GX suite; `$day` in its SQL is `day`. Each rule carries its id as `meta.rule`."""
    made = gx.ExpectationSuite(name=suite.table)
    for expectation in suite.expectations:
        made.add_expectation(_translated(expectation, day))
    return made


def _translated(expectation: Expectation, day: date) -> Any:
    made = ExpectationConfiguration(
        type=expectation.type,
        kwargs=arguments(expectation, day),
        meta={
            "rule": expectation.rule,
            "level": expectation.level,
            "severity": expectation.severity,
            "owner": expectation.owner,
        },
        description=f"{expectation.zh} · {expectation.en} ({expectation.rule})".replace("$", "$$"),
        severity=SEVERITIES.get(expectation.severity, expectation.severity),
    )
    return made.to_domain_obj()


def arguments(expectation: Expectation, day: date) -> dict[str, Any]:
    """The arguments with the day in the place of `$day`."""
    return {
        name: value.replace("$day", day.isoformat()) if name == "unexpected_rows_query" else value
        for name, value in expectation.kwargs.items()
    }
