"""The services behind the assets, as `infra.settings` describes them."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from clickhouse_connect.driver.client import Client

from infra.settings import Settings, User, settings


class Services(dg.ConfigurableResource):  # type: ignore[type-arg]  # the parameter is the resource itself
    """Kafka and ClickHouse of this deployment. Nothing is opened before it is used."""

    @property
    def settings(self) -> Settings:
        return settings()

    @contextmanager
    def clickhouse(self, user: User = "loader") -> Iterator[Client]:
        """A client, closed at the end. `loader` writes; `engineer` is for reading what analysts may not.

        Raises:
            UserFault: an external ClickHouse, and no password set for this user.
            TransientFault: nobody answers.
        """
        with self.settings.client(user) as client:
            yield client
