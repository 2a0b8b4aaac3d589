"""A model's answers to labelled texts that it has not seen, as far as such answers can be had."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.classify.model import Model
from pipelines.classify.training.evaluate import Scores, score
from pipelines.classify.training.holdout import Data, reproducible, settings_of, split, unseen
from pipelines.classify.training.train import train

_HOLDOUT = {
    "left out": "训练时留出的文本 texts left out of training",
    "twin": "不含留出集的孪生模型对留出集 a twin trained without them, on texts left out",
    "unknown": ("留出集；模型可能见过，得分或偏高 the holdout, which the model may have seen: scores may be too good"),
}
"""How the holdout was answered, by the fairness that `unseen` states."""


@dataclass(frozen=True)
class Evidence:
    """Answers to labelled texts: `truth` (rows,), `answers` (rows, 3) best first, `confidence`
    (rows,) of the best; `how` they were obtained, for people.
    """

    truth: NDArray[np.int16]
    answers: NDArray[np.int16]
    confidence: NDArray[np.float32]
    how: str

    def scores(self, threshold: float) -> Scores:
        """Scores of the answers; `threshold` is the confidence from which on the model decides."""
        return score(self.truth, self.answers, self.confidence, threshold)


def evidence(model: Model, data: Data) -> Evidence:
    """Cross-validation over the corpus, by repeating the training, if the model was trained on this
    data and the training gives the same version. Otherwise answers to the holdout (see `unseen`).
    """
    if reproducible(model, data):
        settings = settings_of(model.facts)
        repeated = train(data.reports, settings, data.keywords)
        if repeated.model.version == model.version:
            how = f"语料的 {settings.folds} 折交叉验证 cross-validation over the corpus, {settings.folds} folds"
            return Evidence(repeated.truth, repeated.answers, repeated.confidence, how)
    holdout, (measured, fairness) = split(data.reports)[1], unseen(model, data)
    prediction = measured.predict(holdout.texts)
    how = _HOLDOUT[fairness]
    return Evidence(holdout.labels, prediction.alternatives, prediction.confidence, how)
