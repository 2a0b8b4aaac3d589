"""The services behind the assets, as `infra.settings` describes them."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from clickhouse_connect.driver.client import Client

from infra.settings import Settings, User, settings


class Services(dg.ConfigurableResource):  # type: ignore[type-arg]  # the parameter is the resource itself
    """Kafka and ClickHouse of this deployment. Connections are opened when they are used."""

    @property
    def settings(self) -> Settings:
        return settings()

    @contextmanager
    def clickhouse(self, user: User = "loader") -> Iterator[Client]:
        """A client, closed at the end. `loader` writes; `engineer` reads what analysts may not;
        `repair` evaluates expressions.

        Raises:
            UserFault: ClickHouse is external, and there is no password for this user.
            TransientFault: ClickHouse does not answer.
        """
        with self.settings.client(user) as client:
            yield client
