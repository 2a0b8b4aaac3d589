"""The stack: up, down, status, logs, settings, stream, migrate."""
