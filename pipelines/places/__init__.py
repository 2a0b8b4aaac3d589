"""Locations: coordinate systems, county outlines, the registry of grids."""
