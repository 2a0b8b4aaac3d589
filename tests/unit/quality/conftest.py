"""Great Expectations in a test process."""

from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def great_expectations() -> ModuleType:
    """The package, imported; seconds, so only by tests that need it."""
    from pipelines.quality.gx_import import great_expectations as package

    return package
