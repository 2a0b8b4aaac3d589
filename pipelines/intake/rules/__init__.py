"""The row rules of `schemas/expectations`, compiled for Arrow batches."""
