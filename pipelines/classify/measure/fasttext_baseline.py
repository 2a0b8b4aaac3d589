"""fastText, trained on the same corpus and given the same texts, for a fair comparison of speed.

Fair: supervised fastText with its own defaults for short text (character n-grams of the model's
orders, a softmax over all types), one thread, the batch form of `predict`, the best three answers.
Both are timed by the processor time of the calling thread.
"""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.classify.model import Model
from pipelines.classify.training.corpus import Corpus, corpus, descriptions, joined

MISSING = "未安装 fastText，没有比较 fastText is not installed: NOT compared; pip install fasttext-numpy2-wheel"
_LABEL = "__label__"


@dataclass(frozen=True)
class Versus:
    """Medians of `repeats` runs each, in turns. `ratio`: the model's texts per core and second
    divided by fastText's.
    """

    texts: int
    repeats: int
    ours_per_core_second: float
    fasttext_per_core_second: float
    ratio: float
    fasttext_settings: dict[str, Any]


SETTINGS: dict[str, Any] = {
    "epoch": 5,
    "lr": 0.5,
    "dim": 100,
    "wordNgrams": 2,
    "minn": 0,
    "maxn": 0,
    "loss": "softmax",
}


def installed() -> bool:
    """Whether fastText can be imported."""
    try:
        import fasttext  # noqa: F401
    except ImportError:
        return False
    return True


def against_fasttext(model: Model, texts: pa.Array, repeats: int = 5) -> Versus:
    """The model and fastText on the same texts, run by run in turns.

    Raises:
        ImportError: fastText is not installed; see `installed`.
    """
    baseline = _trained(joined(corpus(), descriptions()))
    spaced = [_spaced(text) for text in texts.to_pylist()]
    model.warm_up()
    baseline.predict(spaced[:100], k=3)
    ours, theirs = [], []
    for _ in range(repeats):
        start = time.thread_time()
        model.predict(texts)
        between = time.thread_time()
        baseline.predict(spaced, k=3)
        ours.append(len(texts) / (between - start))
        theirs.append(len(texts) / (time.thread_time() - between))
    own_rate, fasttext_rate = float(np.median(ours)), float(np.median(theirs))
    return Versus(
        texts=len(texts),
        repeats=repeats,
        ours_per_core_second=round(own_rate),
        fasttext_per_core_second=round(fasttext_rate),
        ratio=round(own_rate / fasttext_rate, 2),
        fasttext_settings=SETTINGS,
    )


def _spaced(text: str) -> str:
    """Single characters with spaces: fastText finds words only by spaces, which Chinese does not
    have.
    """
    return " ".join(text)


def _trained(data: Corpus) -> Any:
    import fasttext

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "corpus.txt"
        pairs = zip(data.labels.tolist(), data.texts.to_pylist(), strict=True)
        lines = (f"{_LABEL}{label} {_spaced(text)}" for label, text in pairs)
        file.write_text("\n".join(lines), "utf-8")
        return fasttext.train_supervised(str(file), thread=1, verbose=0, **SETTINGS)
