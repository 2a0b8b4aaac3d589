"""Decides what a report is about: a person, the source's category, or the text (see `decide`)."""

from pipelines.classify.decide import Decisions, decide
from pipelines.classify.model import Model, Prediction
from pipelines.classify.modelfile import current_model, load_model

__all__ = ["Decisions", "Model", "Prediction", "current_model", "decide", "load_model"]
