"""Great Expectations in a test process."""

import sys
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def great_expectations() -> ModuleType:
    """The package, imported. It imports pyspark's Connect client, which takes a process whose main module is no file
    (such as a worker of xdist) for its own doctests, and ends it."""
    main = sys.modules["__main__"]
    missing = not hasattr(main, "__file__")
    if missing:
        main.__file__ = __file__
    try:
        import great_expectations
    finally:
        if missing:
            del main.__file__
    return great_expectations
