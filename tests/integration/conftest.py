"""One Kafka and ClickHouse per session, and for each test a topic and a database of its own."""

from tests.support.fixtures import in_environment, new_database, services, stack, streaming

__all__ = ["in_environment", "new_database", "services", "stack", "streaming"]
