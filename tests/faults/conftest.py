"""The fault suites run on the same real services as the integration tests."""

from tests.integration.conftest import services, stack, streaming

__all__ = ["services", "stack", "streaming"]
