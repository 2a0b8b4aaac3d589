"""A ClickHouse client whose connection dies at a chosen step of the loader, before or after the server has done it."""

from typing import Any

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import OperationalError

# The steps of `pipelines.load.loader`, in order.
STEPS = ("ledger before", "events", "quarantine", "ledger after")


class DyingClient:
    """Passes everything on to `client`. At `step` the connection dies; `done`: after the server has done the step."""

    def __init__(self, client: Client, step: str, done: bool) -> None:
        self._client, self._step, self._done = client, step, done

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def raw_insert(self, table: str, *rest: Any) -> None:
        self._run(table, lambda: self._client.raw_insert(table, *rest))

    def insert(self, table: str, data: Any, **options: Any) -> None:
        phase = data[0][options["column_names"].index("phase")]
        self._run(f"{table} {'after' if phase else 'before'}", lambda: self._client.insert(table, data, **options))

    def _run(self, step: str, work: Any) -> None:
        if step == self._step and not self._done:
            raise OperationalError(f"died before {step}")
        work()
        if step == self._step:
            raise OperationalError(f"died after {step}")
