"""Measures a model: model card, comparison, drift, speed, public data sets."""
