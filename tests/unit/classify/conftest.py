"""Small models that are trained in the test run, and the shipped model."""

import numpy as np
import pytest

from pipelines.classify.features import Ngrams
from pipelines.classify.model import Model
from pipelines.classify.modelfile import load_model
from pipelines.classify.training.corpus import Corpus, corpus, descriptions
from pipelines.classify.training.holdout import Data
from pipelines.classify.training.linear import Settings
from pipelines.classify.training.train import Training, train


@pytest.fixture(scope="session")
def keywords() -> Corpus:
    return descriptions()


@pytest.fixture(scope="session")
def training(keywords: Corpus) -> Training:
    """Trained on the taxonomy's phrases, with every kind of feature."""
    return train(keywords, Settings(Ngrams(1, 3, words=1, leads=(1,)), folds=3))


@pytest.fixture(scope="session")
def small(training: Training) -> Model:
    return training.model


@pytest.fixture(scope="session")
def part() -> Data:
    """Every thirtieth report of the corpus: quick to train on, and it holds every type."""
    whole = corpus()
    rows = np.arange(0, len(whole.labels), 30)
    return Data(Corpus(whole.texts.take(rows), whole.labels[rows]), descriptions())


@pytest.fixture(scope="session")
def champion(part: Data) -> Model:
    return train(part.reports, Settings(folds=3), part.keywords).model


@pytest.fixture(scope="session")
def shipped() -> Model:
    return load_model()
