"""Measurements: throughput, latency, classifier."""
