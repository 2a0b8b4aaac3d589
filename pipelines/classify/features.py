"""Which n-grams are features, and their counts for a column of texts."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.classify import kernel
from pipelines.classify.characters import fold_table

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


@dataclass(frozen=True)
class Ngrams:
    """Character n-grams of orders low..high and token n-grams of orders 1..words.

    A token ends at a space or punctuation mark: it is a word in segmented text, else a clause.
    Character n-grams cross token limits, because Chinese is written without word limits; token
    n-grams do not. For each number in `leads`, the n-grams of that many leading tokens are counted
    again as separate features, because a title says what the rest is about.
    """

    low: int = 1
    high: int = 2
    words: int = 0
    leads: tuple[int, ...] = ()

    def plan(self) -> NDArray[np.int64]:
        return np.array([self.low, self.high, self.words, *self.leads], dtype=np.int64)


def buffers(texts: pa.Array) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The bytes (uint8) and row offsets (int64, rows + 1) of a string array; null reads as
    empty.
    """
    if texts.type not in (pa.string(), pa.large_string()):
        texts = texts.cast(pa.string())
    if texts.null_count:
        texts = texts.fill_null("")
    width = np.int32 if texts.type == pa.string() else np.int64
    _, limits, data = texts.buffers()
    if len(texts) == 0 or limits is None:
        return np.zeros(1, np.uint8), np.zeros(len(texts) + 1, np.int64)
    offsets = np.frombuffer(limits, width)[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    return np.frombuffer(data, np.uint8) if data else np.zeros(1, np.uint8), offsets


def strings(texts: list[str]) -> pa.StringArray:
    """A string column. Unlike `pa.array` it does not import pandas (0.5 s at start-up). Lone
    surrogates become `?`.
    """
    encoded = [text.encode("utf-8", "replace") for text in texts]
    offsets = np.zeros(len(texts) + 1, np.int32)
    np.cumsum([len(text) for text in encoded], out=offsets[1:])
    return pa.StringArray.from_buffers(len(texts), pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded)))


def chunks(texts: pa.Array | pa.ChunkedArray) -> list[pa.Array]:
    """The arrays of a column; an empty list for a chunked array without chunks."""
    return list(texts.chunks) if isinstance(texts, pa.ChunkedArray) else [texts]


def counts(texts: pa.Array | pa.ChunkedArray, ngrams: Ngrams) -> "tuple[csr_matrix, NDArray[np.uint32]]":
    """Occurrences of each n-gram, float32 CSR of shape (rows, n-grams), and the 32-bit hash of each
    column, ascending.

    Of 1 M distinct n-grams about 1 in 4,000 shares its hash with another, and both are counted
    together.
    """
    from scipy.sparse import csr_matrix

    data, offsets = buffers(pa.concat_arrays(chunks(texts)) if len(texts) else texts)
    indptr = np.zeros(len(texts) + 1, np.int64)
    plan, none = ngrams.plan(), np.empty(0, np.uint32)
    hashes = np.empty(kernel.count_rows(data, offsets, fold_table(), plan, none, indptr), np.uint32)
    kernel.count_rows(data, offsets, fold_table(), plan, hashes, indptr)
    distinct, columns = np.unique(hashes, return_inverse=True)
    ones = np.ones(len(columns), np.float32)
    shape = (len(texts), len(distinct))
    matrix = csr_matrix((ones, columns.astype(np.int32), indptr), shape=shape)
    matrix.sum_duplicates()
    return matrix, distinct
