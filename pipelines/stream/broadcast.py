"""The registry on its way from the driver to the workers."""

from clickhouse_connect.driver.client import Client
from pyspark import Broadcast, SparkContext

from pipelines.places.grids import GridIndex
from pipelines.places.registry import RegistryReader


class SentRegistry:
    """The registry as ClickHouse has it, brought to each worker once, and again when it changed."""

    def __init__(self) -> None:
        self._reader = RegistryReader()
        self._sent: tuple[GridIndex, Broadcast[GridIndex]] | None = None

    def current(self, spark: SparkContext, client: Client) -> Broadcast[GridIndex]:
        """No task may run that was given an older one. Raises as `RegistryReader.current` does."""
        index = self._reader.current(client)
        if self._sent is None or self._sent[0] is not index:
            if self._sent is not None:
                self._sent[1].destroy()
            self._sent = index, spark.broadcast(index)
        return self._sent[1]
