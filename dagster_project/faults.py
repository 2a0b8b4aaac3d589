"""Faults in Dagster: a transient fault is retried, any other fails the run at once with one line."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from pipelines.errors import GridstreamError
from pipelines.services.clickhouse import is_transient

# A restart of ClickHouse takes seconds; an overloaded ClickHouse needs minutes.
RETRIES = dg.RetryPolicy(max_retries=3, delay=15, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)


@contextmanager
def faults() -> Iterator[None]:
    """Raises transient faults as they are, others as a Failure. For an op with `retry_policy=RETRIES`."""
    try:
        yield
    except Exception as error:
        if is_transient(error):
            raise
        text = str(error) if isinstance(error, GridstreamError) else f"{type(error).__name__}: {error}"
        raise dg.Failure(description=text, allow_retries=False) from error
