"""Imports Great Expectations so that it neither reports usage nor ends the process. Takes seconds.

Great Expectations imports the Connect client of pyspark. If the main module of the process has no file, that client
takes the process for its doctests and ends it (`SystemExit: 0`). Runs of Dagster's code server and workers of xdist are
such processes.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any


@contextmanager
def _main_is_a_file() -> Iterator[None]:
    main = sys.modules["__main__"]
    if hasattr(main, "__file__"):
        yield
        return
    main.__file__ = __file__
    try:
        yield
    finally:
        del main.__file__


os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")  # read at import
with _main_is_a_file():
    import great_expectations
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

# The modules that render pages have no type information.
core: Any = import_module("great_expectations.core.expectation_validation_result")
renderer: Any = import_module("great_expectations.render.renderer")
view: Any = import_module("great_expectations.render.view")

__all__ = ["ExpectationConfiguration", "core", "great_expectations", "renderer", "view"]
