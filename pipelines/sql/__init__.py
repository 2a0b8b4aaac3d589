"""The queries of this package, which stand in .sql files beside the code."""

import functools
from importlib.resources import files


@functools.cache
def packaged(name: str) -> str:
    """The text of a .sql file, by its path inside `pipelines`, such as `sql/stale_days.sql`."""
    return files("pipelines").joinpath(name).read_text("utf-8")
