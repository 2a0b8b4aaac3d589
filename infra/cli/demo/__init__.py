"""gridstream demo."""
