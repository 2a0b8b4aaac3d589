"""How far a report only repeats the checklist item it answers: a sign of a perfunctory report.

A copied item, or a word of it, is not an observation. The overlap enters the classifier as symbols
of the private-use area after the text: one symbol per item and measure, ten steps each. The n-gram
engine needs no change for this, and bigrams of neighbouring symbols combine the measures.
"""

from collections.abc import Sequence

_FIRST = 0xE000
_STEPS = 10


def with_overlap(text: str, items: Sequence[str]) -> str:
    """The text, then two symbols per item: the share of the text's character bigrams that the item
    has, and the share of the item's that the text has; then a symbol for the text's length (powers
    of 2).
    """
    text_bigrams = _bigrams(text)
    symbols = []
    for number, item in enumerate(items):
        item_bigrams = _bigrams(item)
        common = len(text_bigrams & item_bigrams)
        for measure, size in enumerate((len(text_bigrams), len(item_bigrams))):
            step = min(int(_STEPS * common / max(size, 1)), _STEPS - 1)
            symbols.append(chr(_FIRST + (2 * number + measure) * _STEPS + step))
    symbols.append(chr(_FIRST + 2 * len(items) * _STEPS + len(text).bit_length()))
    return f"{text} {''.join(symbols)}"


def _bigrams(text: str) -> set[str]:
    """Letters and digits only; a single character counts as a bigram."""
    kept = "".join(filter(str.isalnum, text))
    return {kept[at : at + 2] for at in range(max(len(kept) - 1, 1))} if kept else set()
