"""The compiled n-gram code against a plain Python implementation of the same rules."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.classify.characters import BREAK, DIGIT, SKIP, fold_table
from pipelines.classify.features import Ngrams, buffers, counts, strings

_MASK = (1 << 64) - 1
_MIX = 0x9E3779B97F4A7C15


def _tokens(text: str) -> list[list[int]]:
    """Tokens of folded symbols; a run of digits within a token is one symbol."""
    tokens: list[list[int]] = [[]]
    for character in text:
        symbol = int(fold_table()[ord(character)]) if ord(character) < 0x10000 else ord(character)
        if symbol == BREAK:
            tokens.append([])
        elif symbol != SKIP and not (symbol == DIGIT and tokens[-1][-1:] == [DIGIT]):
            tokens[-1].append(symbol)
    return [token for token in tokens if token]


def _hash(seed: int, symbols: list[int]) -> int:
    for symbol in symbols:
        seed = ((seed ^ symbol) * _MIX) & _MASK
    return seed >> 32


def _expected(text: str, ngrams: Ngrams) -> Counter[int]:
    whole = _tokens(text)
    expected: Counter[int] = Counter()
    for view, lead in ((0, len(whole)), *enumerate(ngrams.leads, 3)):
        tokens = whole[:lead]
        seed = (view * _MIX) & _MASK if view else 0
        symbols = [symbol for token in tokens for symbol in token]
        for n in range(ngrams.low, ngrams.high + 1):
            grams = (symbols[at : at + n] for at in range(len(symbols) - n + 1))
            expected.update(_hash(0x632BE59BD9B4E019 ^ seed, gram) for gram in grams)
        for n in range(1, ngrams.words + 1):
            for at in range(len(tokens) - n + 1):
                ended = [symbol for token in tokens[at : at + n] for symbol in (*token, BREAK)]
                expected[_hash(0xD1B54A32D192ED03 ^ seed, ended)] += 1
    return expected


def _counted(texts: pa.Array, ngrams: Ngrams) -> dict[int, int]:
    """Occurrences by hash, of a column with one text."""
    matrix, hashes = counts(texts, ngrams)
    return dict(zip(hashes[matrix.indices].tolist(), matrix.data.astype(int).tolist(), strict=True))


ALPHABET = st.one_of(st.sampled_from("小区垃圾 ,，。12０a😀\u200f\n繁體"), st.characters(codec="utf-8"))
TEXTS = st.text(ALPHABET, max_size=60)
PLANS = [
    Ngrams(),
    Ngrams(1, 3),
    Ngrams(2, 4),
    Ngrams(1, 2, words=2),
    Ngrams(1, 2, words=1, leads=(1, 3)),
]


@pytest.mark.parametrize("ngrams", PLANS, ids=str)
@given(text=TEXTS)
@settings(max_examples=60)
def test_counts_are_those_of_the_plain_implementation(ngrams: Ngrams, text: str) -> None:
    assert _counted(strings([text]), ngrams) == _expected(text, ngrams)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("ＡＢＣ１２３号楼", "abc9号楼"),
        ("違章停車佔道", "违章停车占道"),
        ("垃圾\u200f清运\ufeff", "垃圾清运"),
        ("停水,两天", "停水。两天!"),
    ],
)
def test_spellings_that_have_the_same_features(first: str, second: str) -> None:
    ngrams = Ngrams(1, 3, words=1)
    assert _counted(strings([first]), ngrams) == _counted(strings([second]), ngrams)


@pytest.mark.parametrize(
    ("broken", "replaced"),
    [
        (b"\xff", 1),
        (b"\xc0\x80", 2),  # overlong
        (b"\xed\xa0\x80", 3),  # surrogate
        (b"\xe5\x9e", 2),  # cut off
        (b"\xf4\x90\x80\x80", 4),  # above U+10FFFF
        (b"\x80", 1),
    ],
)
def test_each_invalid_byte_counts_as_one_replacement_character(broken: bytes, replaced: int) -> None:
    data = pa.py_buffer("水".encode() + broken + "电".encode())
    offsets = pa.py_buffer(np.array([0, data.size], np.int32))
    texts = pa.StringArray.from_buffers(1, offsets, data)
    expected = _expected("水" + "\ufffd" * replaced + "电", Ngrams())
    assert _counted(texts, Ngrams()) == expected


def test_slices_nulls_chunks_and_large_strings_have_the_same_counts() -> None:
    texts = ["先", None, "", "垃圾没人清运", "尾"]
    whole = pa.array(texts)
    expected = counts(pa.array(["", "", "垃圾没人清运"]), Ngrams())
    for column in (
        whole.slice(1, 3),
        whole.slice(1, 3).cast(pa.large_string()),
        pa.chunked_array([whole.slice(1, 1), whole.slice(2, 2)]),
        whole.slice(1, 3).dictionary_encode().cast(pa.string()),
    ):
        matrix, hashes = counts(column, Ngrams())
        assert (matrix != expected[0]).nnz == 0
        assert (hashes == expected[1]).all()


def test_strings_equals_arrow_and_replaces_lone_surrogates() -> None:
    texts = ["", "停水", "emoji 😀"]
    assert strings(texts).equals(pa.array(texts))
    assert strings(["a\ud800b"]).to_pylist() == ["a?b"]
    assert len(strings([])) == 0


def test_an_empty_column_has_no_rows() -> None:
    data, offsets = buffers(pa.array([], pa.string()))
    assert (data.dtype, offsets.tolist()) == (np.uint8, [0])
