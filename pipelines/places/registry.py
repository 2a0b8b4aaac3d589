"""The registry of grids in ClickHouse, read again when it has changed."""

from clickhouse_connect.driver.client import Client

from pipelines.errors import UserFault
from pipelines.places.grids import GridIndex, GridRow

_VERSION = "SELECT toString(max(loaded_at)), count() FROM grids"
_GRIDS = """
SELECT g.grid_code, g.town_code, g.county_code, g.city_code, c.timezone, g.valid_from, g.valid_to
FROM grids AS g FINAL INNER JOIN cities AS c FINAL ON g.city_code = c.city_code"""


class RegistryReader:
    """Caches the `GridIndex`; `current` queries ClickHouse only for the version while nothing has
    changed."""

    def __init__(self) -> None:
        self._version: tuple[str, int] | None = None
        self._index = GridIndex.of(())

    def current(self, client: Client) -> GridIndex:
        """The present registry.

        Raises:
            UserFault: the registry is empty; every report would be rejected.
        """
        newest = client.query(_VERSION).result_rows[0]
        version = (str(newest[0]), int(newest[1]))
        if not version[1]:
            raise UserFault("网格登记为空，请先运行 the registry of grids is empty: run first `gridstream migrate`")
        if version != self._version:
            grids = (GridRow(*row) for row in client.query(_GRIDS).result_rows)
            self._index = GridIndex.of(grids, f"{version[0]}, {version[1]} grids")
            self._version = version
        return self._index
