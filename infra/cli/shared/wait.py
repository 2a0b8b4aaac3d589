"""`--wait`: after sending, until the stream has loaded everything."""

import time
from typing import Annotated

import typer

from infra.settings import Settings
from pipelines.services.clickhouse import connect
from pipelines.watch import lag

WaitSeconds = Annotated[
    float | None,
    typer.Option("--wait", min=1, help="等待入库，至多 N 秒 wait until the stream has loaded it, at most N seconds"),
]


def wait_until_loaded(now: Settings, timeout: float) -> float:
    """Seconds until all that was in the topic at the call was in ClickHouse.

    Raises:
        TransientFault: not all of it within `timeout` seconds.
    """
    begun = time.monotonic()
    client = connect(now.clickhouse("engineer"))
    try:
        lag.wait_until_loaded(client, now.kafka_bootstrap, now.topic, timeout)
    finally:
        client.close()
    return round(time.monotonic() - begun, 3)
