"""The text model: commands `classify`, `model` and `review`."""
