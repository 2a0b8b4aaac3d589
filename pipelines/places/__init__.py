"""Where a report is: coordinate systems, county outlines, the registry of grids."""
