"""Figures: ranking, trends, scorecard, rebuild, quality."""
