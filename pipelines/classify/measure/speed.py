"""Measures how fast a model is on one core, how large it is, and how long it takes to be ready."""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipelines.classify.model import Model
from pipelines.classify.modelfile import load_model, save_model
from pipelines.classify.training.corpus import corpus

CHARACTERS = 60
BATCH = 131_072  # rows of an Arrow batch in the stream


@dataclass(frozen=True)
class Speed:
    """`texts_per_core_second`: median over `repeats` runs of `texts` texts of `characters`
    characters, by processor time of one thread; `slowest` and `fastest`: the extremes of these
    runs. `loaded_bytes`: a loaded model with its look-up table. `load_seconds`: reading the file;
    `warm_up_seconds`: until the first answer, including the kernel.
    """

    version: str
    texts: int
    characters: int
    repeats: int
    texts_per_core_second: float
    slowest: float
    fastest: float
    loaded_bytes: int
    load_seconds: float
    warm_up_seconds: float


def sixty_characters(rows: int, seed: int = 3) -> pa.Array:
    """Corpus reports joined in random order and cut into pieces of 60 characters. The model knows
    almost every n-gram of them, which is the slowest case: unknown n-grams cost almost nothing.
    """
    texts = np.array(corpus().texts.to_pylist(), dtype=object)
    whole = ""
    generator = np.random.default_rng(seed)
    while len(whole) < min(rows, 20_000) * CHARACTERS:
        whole += "".join(generator.permutation(texts))
    pieces = [whole[at : at + CHARACTERS] for at in range(0, len(whole) - CHARACTERS, CHARACTERS)]
    return pa.array((pieces * (rows // len(pieces) + 1))[:rows], pa.string())


def per_second(model: Model, texts: pa.Array, repeats: int = 5) -> list[float]:
    """Texts per second of each repeat, by processor time of this thread."""
    figures = []
    for _ in range(repeats):
        start = time.thread_time()
        model.predict(texts)
        figures.append(len(texts) / (time.thread_time() - start))
    return figures


def measure(model: Model, repeats: int = 5) -> Speed:
    """Speed of a model, and how long its file takes to load. The time to warm up is only meaningful
    for the first model of a process.
    """
    start = time.perf_counter()
    model.warm_up()
    warm = time.perf_counter()
    figures = per_second(model, sixty_characters(BATCH), repeats)
    return Speed(
        version=model.version,
        texts=BATCH,
        characters=CHARACTERS,
        repeats=repeats,
        texts_per_core_second=round(float(np.median(figures))),
        slowest=round(min(figures)),
        fastest=round(max(figures)),
        loaded_bytes=model.nbytes,
        load_seconds=_load_seconds(model),
        warm_up_seconds=round(warm - start, 3),
    )


def _load_seconds(model: Model) -> float:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.npz"
        save_model(model, file)
        start = time.perf_counter()
        load_model(file)
        return round(time.perf_counter() - start, 3)
