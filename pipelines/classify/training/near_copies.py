"""Near-copies in the corpus: pairs of texts that share most of their character n-grams."""

from dataclasses import dataclass

import numpy as np

from pipelines.classify.features import Ngrams, counts
from pipelines.classify.training.corpus import Corpus

ORDER = 5  # long enough that two reports of the same type share few n-grams by chance
ALIKE = 0.6


@dataclass(frozen=True)
class NearCopy:
    """Two texts whose sets of character 5-grams overlap by `jaccard`; both are (code, text)."""

    jaccard: float
    first: tuple[int, str]
    second: tuple[int, str]


def near_copies(corpus: Corpus, alike: float = ALIKE) -> list[NearCopy]:
    """Every pair with a Jaccard index of at least `alike`, most similar first. Texts of fewer than
    5 symbols have no 5-grams and are not compared.
    """
    grams = counts(corpus.texts, Ngrams(ORDER, ORDER))[0].astype(bool).astype(np.int32)
    sizes = np.diff(grams.indptr)
    shared = (grams @ grams.T).tocoo()
    above = shared.row < shared.col
    rows, columns, common = shared.row[above], shared.col[above], shared.data[above]
    jaccard = common / (sizes[rows] + sizes[columns] - common)
    texts = list(zip(corpus.labels.tolist(), corpus.texts.to_pylist(), strict=True))
    pairs = [
        NearCopy(round(float(value), 3), texts[row], texts[column])
        for value, row, column in zip(jaccard, rows, columns, strict=True)
        if value >= alike
    ]
    return sorted(pairs, key=lambda pair: -pair.jaccard)
