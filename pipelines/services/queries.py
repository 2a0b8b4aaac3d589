"""SQL files of this package.

A query of more than six lines is a `.sql` file in the folder of the one module that reads it; a
shorter one is a constant of that module.
"""

import functools
from importlib.resources import files


@functools.cache
def query_text(path: str) -> str:
    """The text of a .sql file, by its path inside `pipelines`, such as `marts/stale_days.sql`."""
    return files("pipelines").joinpath(path).read_text("utf-8")
