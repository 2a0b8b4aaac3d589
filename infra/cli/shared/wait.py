"""`--wait`: after sending, wait until the stream has loaded everything."""

import time
from typing import Annotated

import typer

from infra.settings import Settings
from pipelines.watch import lag

WaitSeconds = Annotated[
    float | None,
    typer.Option("--wait", min=1, help="等待入库，至多 N 秒 wait until the stream has loaded it, at most N seconds"),
]


def wait_until_loaded(config: Settings, timeout: float) -> float:
    """Wait until every message that was in the topic at the call is in ClickHouse; returns the seconds it took.

    Raises:
        TransientFault: not all of them were loaded within `timeout` seconds.
    """
    begun = time.monotonic()
    with config.client("engineer") as client:
        lag.wait_until_loaded(client, config.kafka_bootstrap, config.topic, timeout)
    return round(time.monotonic() - begun, 3)
