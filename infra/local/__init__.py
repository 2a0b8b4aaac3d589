"""The embedded stack: Kafka, ClickHouse, the stream and Dagster as processes of this machine."""

from collections.abc import Callable

Notify = Callable[[str], None]  # gets a line for people: what goes on, or what is done
