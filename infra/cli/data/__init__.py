"""Data in and out: ingest, simulate, sql, verify."""
