"""Texts a second on one core, memory and load time of the shipped model: `python -m tests.bench.classify_speed`.

Texts are cut from the training corpus to exactly 60 characters: every n-gram is known to the model, which is the
slowest case; real messages hold unknown n-grams, which cost nothing.
"""

import json
import sys
import time

import numpy as np
import pyarrow as pa

from pipelines.classify.corpus import corpus
from pipelines.classify.model import Model
from pipelines.classify.modelfile import load_model

CHARACTERS = 60
BATCH = 131_072  # rows of an Arrow batch in the stream


def sixty_characters(rows: int, seed: int = 3) -> pa.Array:
    """Corpus reports joined in random order and cut into pieces of 60 characters."""
    texts = np.array(corpus().texts.to_pylist(), dtype=object)
    whole = ""
    generator = np.random.default_rng(seed)
    while len(whole) < min(rows, 20_000) * CHARACTERS:
        whole += "".join(generator.permutation(texts))
    pieces = [whole[at : at + CHARACTERS] for at in range(0, len(whole) - CHARACTERS, CHARACTERS)]
    return pa.array((pieces * (rows // len(pieces) + 1))[:rows], pa.string())


def per_second(model: Model, texts: pa.Array, repeats: int = 5) -> list[float]:
    """Texts a second of each repeat, processor time of this thread."""
    figures = []
    for _ in range(repeats):
        start = time.thread_time()
        model.predict(texts)
        figures.append(len(texts) / (time.thread_time() - start))
    return figures


def main() -> int:
    start = time.perf_counter()
    model = load_model()
    loaded = time.perf_counter()
    model.warm_up()
    warm = time.perf_counter()
    figures = per_second(model, sixty_characters(BATCH))
    result = {
        "model": model.version,
        "classes": len(model.codes),
        "ngrams_known": len(model.hashes),
        "model_mb": round(model.nbytes / 1e6, 1),
        "load_s": round(loaded - start, 3),
        "warm_up_s": round(warm - loaded, 3),
        "texts_per_core_second": {"median": round(float(np.median(figures))), "all": [round(f) for f in figures]},
    }
    print(json.dumps(result, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
