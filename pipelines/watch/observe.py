"""Collects what `pipelines.watch.health` judges: the stream's state file, its process, Kafka and the ledger."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import psutil
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError
from kafka.errors import KafkaError

from pipelines.clock import utc_now
from pipelines.errors import GridstreamError, TransientFault, UserFault, first_line
from pipelines.services import kafka
from pipelines.services.clickhouse import is_transient
from pipelines.stream.state import read_state
from pipelines.watch.health import Observation
from pipelines.watch.lag import current_lag, ledger_figures


def observe_process(state_file: Path) -> Observation:
    """What the stream wrote last, and whether its process exists. No service is asked."""
    state = read_state(state_file)
    return Observation(utc_now(), state, alive=state is not None and psutil.pid_exists(state.pid))


def observe(
    state_file: Path, bootstrap: str, topic: str, open_client: Callable[[], AbstractContextManager[Client]]
) -> Observation:
    """The process, its lag and the ledger's figures; a service that does not answer is part of the observation.

    Args:
        open_client: opens a ClickHouse client that may read `ledger` and `gaps`.
    """
    seen = observe_process(state_file)
    try:
        with open_client() as client:
            seen = replace(seen, ledger=ledger_figures(client, kafka.topic_id(bootstrap, topic)))
            return replace(seen, lag=current_lag(client, bootstrap, topic))
    except GridstreamError as fault:
        return replace(seen, fault=fault)
    except KafkaError as error:
        return replace(seen, fault=TransientFault(f"Kafka: {first_line(error)}"))
    except DatabaseError as error:
        line = f"ClickHouse: {first_line(error)}"
        return replace(seen, fault=TransientFault(line) if is_transient(error) else UserFault(line))
