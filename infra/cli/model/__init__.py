"""The text model: classify, model, review."""
