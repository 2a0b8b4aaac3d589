"""Sources that are files: one adapter each."""
