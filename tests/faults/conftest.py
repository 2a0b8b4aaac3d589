"""The fault tests run on the same services as the integration tests."""

from tests.support.fixtures import new_database, services, stack, streaming

__all__ = ["new_database", "services", "stack", "streaming"]
