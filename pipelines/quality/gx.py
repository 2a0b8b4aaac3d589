"""Great Expectations on ClickHouse. Import this inside functions only: the import takes seconds.

The context is in memory. The password is only in the arguments of the connection: neither the password nor the address
is part of anything that is stored.
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

# GX expects the class of the dialect in the dialect itself, as in SQLAlchemy's own dialects; else regex rules fail.
setattr(dialect.ClickHouseDialect, "ClickHouseDialect", dialect.ClickHouseDialect)  # noqa: B010  (mypy knows no such attribute)

SEVERITIES: Mapping[str, Any] = {"reject": "critical", "warn": "warning"}  # the other severities are those of GX

# `limit` applies to every result set: GX reads a whole batch only for the names of its columns, and every row that the
# query of a rule returns. Counts are computed by the server and are not affected.
_SERVER = {"readonly": "2", "limit": "20"}

# Columns that identify a row, for sample queries.
KEYS: Mapping[str, list[str]] = {
    "events": ["event_id", "source", "report_id"],
    "reports": ["source", "report_id"],
    "quarantine": ["topic", "kafka_partition", "kafka_offset"],
    "ledger": ["topic", "kafka_partition", "first_offset"],
    "rollup_daily": ["grid_code", "event_type"],
}


def context(target: ClickHouse) -> Any:
    """A GX context in memory with `target` as its only source, for reading."""
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    gx_context: Any = gx.get_context(mode="ephemeral")
    gx_context.variables.progress_bars = {"globally": False}
    parts = urlsplit(target.url)
    secure = {"secure": "true"} if parts.scheme == "https" else {}
    port = parts.port or (8443 if secure else 8123)
    gx_context.data_sources.add_sql(
        "clickhouse",
        connection_string=f"clickhousedb://{target.user}@{parts.hostname}:{port}/{target.database}",
        kwargs={"connect_args": {"password": target.password, **_SERVER, **secure}},
    )
    return gx_context


def run(gx_context: Any, suite: Suite, day: date, with_queries: bool = False) -> dict[str, Any]:
    """The validation result of `suite` on a day, as JSON, without values.

    with_queries: adds to each rule on values the query that finds its rows, at the cost of another query each.
    """
    with redirect_stdout(io.StringIO()):  # GX prints about queries that read more than their batch, as some rules must
        checkpoint = _checkpoint(gx_context, suite, day, with_queries)
        (result,) = checkpoint.run().run_results.values()
    return dict(result.to_json_dict())


def _checkpoint(gx_context: Any, suite: Suite, day: date, with_queries: bool) -> Any:
    name = f"{suite.table} {day}{' with queries' if with_queries else ''}"
    source = gx_context.data_sources.get("clickhouse")
    asset = source.add_query_asset(name, f"SELECT * FROM {suite.reads} WHERE day = '{day}'")  # noqa: S608  (not from outside)
    whole = asset.add_batch_definition_whole_table(day.isoformat())
    expected = gx_context.suites.add_or_update(translated(suite, day))
    definition = gx.ValidationDefinition(name=name, data=whole, suite=expected)
    keys = {"unexpected_index_column_names": KEYS[suite.table], "return_unexpected_index_query": True}
    checkpoint = gx.Checkpoint(
        name=name,
        validation_definitions=[gx_context.validation_definitions.add_or_update(definition)],
        result_format={"result_format": "SUMMARY", "exclude_unexpected_values": True, **(keys if with_queries else {})},
    )
    return gx_context.checkpoints.add_or_update(checkpoint)


def translated(suite: Suite, day: date) -> Any:
    """`suite` as a GX suite; `$day` in its SQL is `day`. `meta.rule` is the id of a rule."""
    gx_suite = gx.ExpectationSuite(name=suite.table)
    for expectation in suite.expectations:
        gx_suite.add_expectation(_translated(expectation, day))
    return gx_suite


def _translated(expectation: Expectation, day: date) -> Any:
    configuration = ExpectationConfiguration(
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
    return configuration.to_domain_obj()


def arguments(expectation: Expectation, day: date) -> dict[str, Any]:
    """The arguments of a rule, with `$day` replaced by the day."""
    return {
        name: value.replace("$day", day.isoformat()) if name == "unexpected_rows_query" else value
        for name, value in expectation.kwargs.items()
    }
