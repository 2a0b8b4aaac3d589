"""The programs of the embedded stack and their configuration."""
