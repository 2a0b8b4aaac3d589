"""Clients of Kafka and ClickHouse; they do not depend on what a message contains."""
