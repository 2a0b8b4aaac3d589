"""Load one offset range into ClickHouse exactly once: the loader and its ledger."""
