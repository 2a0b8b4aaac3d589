"""The fault tests run on the same services as the integration tests."""

from tests.support.fixtures import services, stack, streaming

__all__ = ["services", "stack", "streaming"]
