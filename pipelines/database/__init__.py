"""Bring the database to what `schemas` says: migrations and dimension tables."""
