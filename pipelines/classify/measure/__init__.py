"""Measures a model: scores, model card, comparison, drift, speed, public data sets."""
