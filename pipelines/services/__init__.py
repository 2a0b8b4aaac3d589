"""Clients of Kafka and ClickHouse. They know nothing of reports."""
